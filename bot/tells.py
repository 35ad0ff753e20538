"""What stands before, after or around words that say who somebody is: patterns, with no logic.

`bot.scrub` applies them. They are wide on purpose: a word too few in the staff's list costs less
than a name too many.
"""

from __future__ import annotations

import re

from index.text import STOPWORDS

GONE = "…"
"""Stands for words that were not kept, however many."""

KIN = (
    r"(?:hus?band|wife|son|daughter|mum|mom|dad|mother|father|brother|sister|friend|boss|partner|"
    r"cousin|co-?workers?|colleague|neighbou?r|girlfriend|boyfriend|fianc[eé]e?|roommate|ex|"
    r"uncle|aunt(?:ie|y)?|niece|nephew|grandm?a|grandpa|grand(?:mother|father|son|daughter)|"
    r"god(?:son|daughter)|step(?:dad|mum|mom|son|daughter)|kid|baby|twins?|dog|cat|"
    r"(?:mother|father|sister|brother|son|daughter)[ -]in[ -]law)"
)
_STAFF = r"(?:nurse|midwife|therapist|chiropractor|acupuncturist|surgeon|physio|coach)"
_STREET = (
    r"(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|court|ct|boulevard|blvd|way|place|pl|"
    r"terrace|circle|parkway|highway|hwy|square|crescent)"
)
_LONG_STREET = r"(?:street|avenue|road|lane|boulevard|parkway|highway|crescent)"
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_TENS = r"(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
_TEENS = r"(?:eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen)"
_ONES = r"(?:one|two|three|four|five|six|seven|eight|nine)"
_NTH = (
    r"(?:\d{1,4}(?:st|nd|rd|th)?|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|"
    r"\w+teenth|eleventh|twelfth|twentieth|thirtieth|(?:twenty|thirty)[ -]\w+)"
)
_DIGIT = (
    rf"(?:zero|oh|ten|double|triple|treble|{_ONES}|{_TEENS}|{_TENS}|\d+|"
    r"cero|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|veinte|treinta|"
    r"zéro|un|deux|trois|quatre|cinq|sept|huit|neuf|dix|onze|douze|treize|vingt|trente|quarante|"
    r"cinquante|soixante|không|một|hai|ba|bốn|năm|sáu|bảy|tám|chín|mười)"
)
"""Figures spelt out, in the languages a visitor may write: telephone numbers are told so."""
_ROOT = r"(?:com|org|net|edu|gov|io|me|co|uk|de|fr|es|kr|cn|vn|example)"
_OWN = rf"(?!(?:{'|'.join(sorted(STOPWORDS))})\b)[\w'’&.-]+"
"""A word that is no stop word: of what has a name of its own."""
_HOUSE = (
    r"(?:school|college|university|high|elementary|academy|preschool|kindergarten|nursery|church|"
    r"chapel|mosque|temple|synagogue|library|pharmacy|brewery|brewing|bakery|hotel|inn|hospice|"
    r"hospital|station|tower|house|team|ltd|llc|inc|gmbh|corp|(?:nursing|retirement|care) home)"
)

REMOVED = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"(?:\w+ ){0,3}\w+ at \w+(?: dot \w+)+|\w+(?: dot \w+)+(?: slash \w+)*",  # spelt out
        rf"\S+\s?@\s?\S*(?: {_ROOT}\b)?",  # mail, handles
        r"\S+\s?[(\[]at[)\]]\s?\S+(?:\s?[(\[]dot[)\]]\s?\S+)*",
        r"\b[a-z][a-z+.-]*://\S+|www\.\S+|\b[\w-]+(?:[._]\w*[a-z]\w*)+\b(?:/\S*)?|\b[ur]/\S+|\w*_\w*",
        rf"\b{_NTH}(?: of)? {_MONTH}\b(?:,? \d+)?|\b{_MONTH} (?:the )?{_NTH}\b(?:,? \d+)?",
        rf"\b{_MONTH}(?=,? ['’]?\d{{2,4}}\b)",
        r"\+?\(?\d(?:[\s()./-]*\d){5,}",  # phones, dates and numbers of cards
        r"\b\d+\s*[./-]\s*\d+\s*[./-]\s*\d+",
        rf"\b{_DIGIT}(?:[ ,-]+{_DIGIT}){{2,}}\b",
        rf"\b(?:\d+\w?|apt|apartment|unit|flat|suite)[ ,]+(?:[\w']+ ){{1,3}}{_STREET}\b\.?",
        rf"\b(?:on|at|from|near|in) (?:{_OWN} ){{1,3}}{_LONG_STREET}\b",
        r"\bcorner of \w+ (?:and|&) \w+",
        r"\b(?:p\.? ?o\.? box|apt|apartment|unit|flat|suite) ?#? ?\w*\d\w*",
        rf"\b(?:at|for|by|with|from|to|of) (?:the )?(?:{_OWN} ){{1,3}}{_HOUSE}\b",
        r"\b(?:church|temple|mosque|university|college|school|bank|town|mayor|class|lady) of "
        r"(?:the )?[\w'’]+(?: (?-i:[A-Z])[\w'’]+)*",
        rf"(?:{_OWN} ){{1,2}}by (?:trade|profession)\b",
        # a secret is told to the end of its sentence
        r"\b(?:pass ?(?:word|phrase|code)|(?:secret|safe) (?:word|phrase)|pin code|pw|log ?in|"
        r"contraseña|mot de passe|mật khẩu|api key|token)\b[^,;?!\n]+",
        r"(?:비밀번호|密码)[^,;?!，。？！\n]*",
    )
)
"""What goes wherever it stands, before words are looked at."""

NUMBERS = re.compile(rf"\b(?:{_TENS}(?:[ -]{_ONES})?|{_TEENS})\b", re.I)
"""Numbers past ten in words: ages are told so."""

TELLS = re.compile(
    r"\b(?:(?:nick)?name(?:s| is|['’]s|:| was)|call me|named|gamer tag|birth ?day(?: is|:)|"
    r"(?:i|we|people) live (?:at|in|on|near)|living in|born (?:in|at|on)|find me (?:on|at|as)|"
    r"(?:i am|i['’]?m|we are|we['’]?re|c[oa]me|coming(?: in)?|moved(?: here)?|dr[io]ve in|flew in|"
    r"travel\w*|driving) from|grew up (?:in|on)|mov(?:e|ed|ing) to|"
    r"(?:i|we|he|she|who|wife|husband|son|daughter|dad|mom|mum)(?: am| is|['’]m|['’]s)? "
    r"(?:work(?:s|ed|ing)?|volunteer(?:s|ed)?|teach(?:es)?|taught|stud(?:y|ies|ied)|serve[sd]?|"
    r"employed|drive(?:s| an?\ \w+)?|swim|play|code|pack|stock|cook|clean|sell|sit|stand)"
    r"(?: (?!me\b|pain\b)\w+){0,2} (?:at|for|by|with)(?: the)?|"
    r"(?:boss|shift|job|student) at(?: the)?|employed by|(?:my|his|her) job is|"
    r"(?:i|he|she) works? as(?: an?| the)?|"
    r"me llamo|mi nombre es|soy de|vivo en|trabajo en|je m['’]appelle|mon nom est|j['’]habite|"
    r"je vis à|(?:viens|vengo) de|travaille (?:à|chez)|tên(?: là)?|"
    r"(?:insta(?:gram)?|snap(?:chat)?|tik ?tok|twitter|telegram|whats ?app|facebook|fb|discord|"
    r"skype|signal|we ?chat|kakao(?: ?talk)?|user ?name|handle|maiden name|member id|"
    r"(?:insurance|policy|group|record|claim|member|passport|licen[cs]e|booking|case|file|order|"
    r"flight|account|plate|reference) (?:number|no|id|ref|code|plate))"
    r"(?:\s+(?:is|at|on|as|id|name(?: is)?))?)"
    r"[\s:,]*$",
    re.I,
)
"""What stands before words that say who somebody is."""

TITLE = re.compile(
    r"\b(?:mr|mrs|ms|mx|miss|mister|dr|prof|professor|doctor|docteur|doctora)\.?\s+$", re.I
)
"""What stands before a family name, whatever word that is."""

INTRODUCES = re.compile(
    rf"\b(?:mr|mrs|ms|miss|mister|dr|doctor|prof|professor|{_STAFF}|dear|hi|hello|{KIN}|this is|"
    r"i am|i['’]?m|its|it['’]s|called|regards|thanks|cheers|sincerely|love|yours|ask|asked|saw|see|"
    r"with|by|and|does|is|as|us)[\s.,:-]*$",
    re.I,
)
"""What may stand before a name, where a word that can be one is taken for one."""

PRESENTS = re.compile(
    rf"\b(?:{_STAFF}|dear|{KIN}|this is|i['’]m|i am|it['’]s|called|regards|sincerely)[\s.,:-]*$",
    re.I,
)
"""What stands before a name rather than before the thing of that name."""

GREETS = re.compile(r"\b(?:hi|hello|hey|thanks|thank you)[\s,]+$", re.I)
"""What is said before or to a name."""

ACTS = re.compile(
    r"(?:\s+(?:\w+\s+)?(?:asked|asks|wants|wanted|said|says|told|tells|thinks|feels|came|comes|"
    r"wonders|needs to|would like|has (?:a|an|had|been having)|and (?:i|me|my|\w+ are)|"
    r"is (?:scared|afraid|still|pregnant))\b|\s+here\b|"
    r"['’]s (?:wife|husband|son|daughter|knee|back|neck))",
    re.I,
)
"""What only a person does: it stands behind a name."""

ST_JOHNS = re.compile(r"\bst\.? john['’]?s?[ -]wort\b", re.I)
