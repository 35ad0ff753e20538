"""Every fixed sentence: disclosure, disclaimer, contact, refusals, emergency texts.

Texts outside English are for emergencies and refusals only and want a native clinician's review
before a clinic relies on them (45 CFR 92.201 asks for a qualified human translator).
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.settings import Clinic, EmergencyNumbers, Settings
from bot.triage import CLINIC_FIELDS, Rule, clinic_fields
from bot.types import Action, AnswerKind, Notice, Triage

AI_LABEL = "AI assistant, not a clinician"
"""Shown at all times (California AB 3030, Health & Safety Code 1339.75)."""

STAYS_HERE = "Your chat stays in this browser for a day."
SCRUBBED = (
    "Of questions we can't answer or that you rate, staff see common words, no names or numbers."
)
KEPT = "The clinic keeps questions it can't answer or that you rate, word for word."
FOR_DAYS = "They are deleted after {days} days."
TO_A_MODEL = "Questions may be sent to a language model."

REFUSAL = (
    "I can't answer that from this clinic's pages, and I won't guess. I can answer questions "
    "about the treatments described there."
)
OUT_OF_SCOPE = "I can only answer questions about this clinic's treatments, from its own pages."
PERSONAL = (
    "I can't judge your own case: that needs someone who knows your history. Here is what the "
    "pages say in general. Ask your clinician before you decide anything, and don't start, stop "
    "or change a medicine because of this chat."
)
PERSONAL_UNANSWERED = (
    "I can't judge your own case: that needs a clinician who knows your history. Please ask them "
    "before you decide anything, and don't start, stop or change a medicine because of this chat."
)
WORDED = (
    "A language model worded this from the clinic's pages, and each sentence was checked against "
    "the quote it opens."
)
APPROVED = "The clinic's staff approved this answer."
EMPTY = "Please type a question, for example: does acupuncture help low back pain?"
TOO_LONG = "That is too long for me to read well. Please ask in one or two sentences."
UNCLEAR = (
    "I'm not sure what you are asking about. Please name the treatment or the problem, for "
    "example: how many sessions of acupuncture for neck pain?"
)
IDENTITY = (
    "I'm an AI assistant, not a person and not a clinician. I answer only with sentences from "
    "this clinic's pages, and each one shows its source."
)
GREETING = "Hello. Ask me about a treatment: what it helps, what it risks, what a visit is like."
THANKS = "You're welcome. If anything else comes up, just ask."
ABUSE = "I'm here to help with questions about treatments. You can also talk to a person here."
INSTRUCTIONS = (
    "I can't follow instructions like that. I answer questions about this clinic's treatments, "
    "with sentences from its pages."
)
ERROR = "Something went wrong on our side, and your question was not answered. Please try again."
BUSY = "Many people are asking just now. Please try again in a moment."
TOO_OFTEN = "That was many questions at once. Please wait a minute, then ask again."
LOST = "No answer came back. Please check your connection and try again."

_LANGUAGE = {
    "es": "Las páginas de esta clínica están en inglés; cito sus frases tal como están.",
    "ko": "이 병원의 안내문은 영어로 되어 있어 원문 그대로 인용합니다.",
    "zh": "本诊所的页面为英文，以下按原文引用。",
    "vi": "Các trang của phòng khám bằng tiếng Anh; tôi trích nguyên văn.",
    "fr": "Les pages de cette clinique sont en anglais ; je cite leurs phrases telles quelles.",
}
_REFUSAL = {
    "es": "No puedo responder a eso con las páginas de esta clínica, que están en inglés.",
    "ko": "이 병원의 안내문(영어)에서는 그 질문에 대한 답을 찾을 수 없습니다.",
    "zh": "本诊所的页面（英文）无法回答这个问题。",
    "vi": "Tôi không thể trả lời câu hỏi này từ các trang (tiếng Anh) của phòng khám.",
    "fr": "Je ne peux pas répondre à cela avec les pages de cette clinique, qui sont en anglais.",
}
_PERSONAL = {
    "es": "No puedo juzgar su caso: hace falta alguien que conozca su historia. Pregunte a su "
    "médico antes de decidir, y no empiece, deje ni cambie un medicamento por este chat.",
    "ko": "개인의 상태는 제가 판단할 수 없습니다. 결정하기 전에 담당 의료진에게 물어보시고, "
    "이 채팅 때문에 약을 시작하거나 끊거나 바꾸지 마세요.",
    "zh": "我无法判断您的个人情况。请在决定前询问您的医生，"
    "不要因为这个聊天而开始、停用或更换药物。",
    "vi": "Tôi không thể đánh giá trường hợp của bạn. Hãy hỏi bác sĩ trước khi quyết định, và đừng "
    "bắt đầu, ngưng hay đổi thuốc vì cuộc trò chuyện này.",
    "fr": "Je ne peux pas juger votre cas : il faut quelqu'un qui connaît votre dossier. Demandez "
    "à votre médecin avant de décider, et ne commencez, n'arrêtez ni ne changez un médicament à "
    "cause de ce chat.",
}
_CONTACT = {
    "en": "Talk to a person", "es": "Hable con una persona", "ko": "상담원과 통화",
    "zh": "联系工作人员", "vi": "Nói chuyện với nhân viên", "fr": "Parler à une personne",
}  # fmt: skip
_CALL_NOW = {
    "en": "This can be an emergency. Call {ambulance} now.",
    "es": "Esto puede ser una emergencia. Llame al {ambulance} ahora.",
    "ko": "응급 상황일 수 있습니다. 지금 바로 {ambulance}에 전화하세요.",
    "zh": "这可能是紧急情况。请立即拨打 {ambulance}。",
    "vi": "Đây có thể là trường hợp khẩn cấp. Hãy gọi {ambulance} ngay.",
    "fr": "C'est peut-être une urgence. Appelez le {ambulance} maintenant.",
}
_TODAY = {
    "en": "Get medical help now: go to an emergency room, or call {ambulance}.",
    "es": "Busque atención médica ahora: vaya a urgencias o llame al {ambulance}.",
    "ko": "지금 바로 진료를 받으세요: 응급실로 가거나 {ambulance}에 전화하세요.",
    "zh": "请立即就医：去急诊室，或拨打 {ambulance}。",
    "vi": "Hãy đi khám ngay: đến phòng cấp cứu hoặc gọi {ambulance}.",
    "fr": "Consultez maintenant : allez aux urgences ou appelez le {ambulance}.",
}
_CRISIS = {
    "en": "You matter. Call or text {crisis} now, any time. In danger right now, call {ambulance}.",
    "es": "Usted importa. Llame al {crisis} ahora (en EE. UU. marque 2 para español). Si corre "
    "peligro, llame al {ambulance}.",
    "ko": "당신은 소중합니다. 지금 {crisis}로 전화하세요. "
    "당장 위험하다면 {ambulance}에 전화하세요.",
    "zh": "您很重要。请现在就拨打 {crisis}。若有危险，请拨打 {ambulance}。",
    "vi": "Bạn rất quan trọng. Hãy gọi {crisis} ngay. Nếu đang nguy hiểm, hãy gọi {ambulance}.",
    "fr": "Vous comptez. Appelez le {crisis} maintenant. En danger immédiat, appelez le "
    "{ambulance}.",
}
_POISON = {
    "en": "Call Poison Help at {poison} now, day or night. Collapsed, a seizure, or trouble "
    "breathing: call {ambulance}.",
    "es": "Llame ahora a Poison Help al {poison}. Si hay desmayo, convulsión o dificultad para "
    "respirar, llame al {ambulance}.",
    "ko": "지금 바로 {poison}(독극물 상담)에 전화하세요. "
    "쓰러지거나 숨쉬기 힘들면 {ambulance}에 전화하세요.",
    "zh": "请立即拨打毒物求助热线 {poison}。若昏倒、抽搐或呼吸困难，请拨打 {ambulance}。",
    "vi": "Hãy gọi trung tâm chống độc {poison} ngay. Nếu ngất, co giật hoặc khó thở, gọi "
    "{ambulance}.",
    "fr": "Appelez le centre antipoison au {poison} maintenant. Malaise, convulsions ou gêne pour "
    "respirer : appelez le {ambulance}.",
}
_IF = {
    "en": "If this happens, call {number} at once.",
    "es": "Si esto ocurre, llame al {number} de inmediato.",
    "ko": "이런 일이 생기면 바로 {number}에 전화하세요.",
    "zh": "如果发生这种情况，请立即拨打 {number}。",
    "vi": "Nếu điều này xảy ra, hãy gọi {number} ngay.",
    "fr": "Si cela arrive, appelez le {number} aussitôt.",
}
_URGENT = {
    "en": "Could this be urgent?", "es": "¿Podría ser urgente?", "ko": "급한 상황인가요?",
    "zh": "情况紧急吗？", "vi": "Có khẩn cấp không?", "fr": "Est-ce urgent ?",
}  # fmt: skip
_TEXTS = {"call": _CALL_NOW, "today": _TODAY, "crisis": _CRISIS, "poison": _POISON}
_FIXED = {
    "IDENTITY": IDENTITY, "GREETING": GREETING, "THANKS": THANKS, "ABUSE": ABUSE,
    "INSTRUCTIONS": INSTRUCTIONS, "OUT_OF_SCOPE": OUT_OF_SCOPE,
}  # fmt: skip
_DIAL = {
    "en": "Call {}", "es": "Llamar al {}", "ko": "{} 전화하기", "zh": "拨打 {}", "vi": "Gọi {}",
    "fr": "Appeler le {}",
}  # fmt: skip


def emergency(action: str, advice: str, lang: str, numbers: EmergencyNumbers) -> Notice:
    """Return the emergency card: one headline, one line of advice, the numbers to dial.

    `action` is "call", "today", "crisis" or "poison". A country without a crisis or poison line
    falls back to the ambulance: it fails closed. `advice` is in English and left out elsewhere.
    """
    values = numbers.model_dump()
    if action in ("crisis", "poison") and not values[action]:
        action = "call"
    title = _TEXTS[action].get(lang, _TEXTS[action]["en"]).format(**values)
    first = [values[action]] if action in ("crisis", "poison") else []
    dial = _DIAL.get(lang, _DIAL["en"])
    return Notice(
        "emergency", advice if lang == "en" else "", title,
        tuple(Action(dial.format(n), tel(n)) for n in [*first, values["ambulance"]]),
    )  # fmt: skip


def red_flag(
    action: str, advice: str, lang: str, numbers: EmergencyNumbers, *, near: bool = False
) -> Notice:
    """Return the line beside an answer that speaks of a danger: what to do if it comes.

    Takes what `emergency` takes. With `near` it has a headline, and belongs before the answer.
    """
    values = numbers.model_dump()
    number = values.get(action) or values["ambulance"]
    text = _IF.get(lang, _IF["en"]).format(number=number)
    dial = Action(_DIAL.get(lang, _DIAL["en"]).format(number), tel(number))
    title = _URGENT.get(lang, _URGENT["en"]) if near else ""
    return Notice("red flag", f"{advice} {text}" if lang == "en" else text, title, (dial,))


def fixed(triaged: Triage, rule: Rule | None, settings: Settings, asked: str = "") -> Notice:
    """Return the first notice of an answer that quotes nothing; `asked` is the message."""
    if triaged.kind == "emergency" and rule:
        return emergency(rule.action, rule.advice, triaged.lang, settings.emergency)
    if triaged.kind == "clarify":
        texts = {"no words": EMPTY, "too long": TOO_LONG}
        return Notice("clarify", texts.get(triaged.rule, UNCLEAR))
    if triaged.kind == "refusal" and triaged.lang != "en":
        return refusal(triaged.lang)
    name = rule.text if rule else ""
    about = about_clinic(settings.clinic, clinic_fields(asked)) if name == "CLINIC" else ""
    text = about or _FIXED.get(name, REFUSAL)
    return Notice("refusal" if triaged.kind == "refusal" else "clinic", text)


def about_clinic(clinic: Clinic, fields: Sequence[str]) -> str:
    """Say what the settings say of the `fields` asked about; what they leave out, a person knows.

    All that they say, if it is not clear which field is meant.
    """
    said = [
        f"{field.capitalize()}: {getattr(clinic, field)}"
        for field in fields or CLINIC_FIELDS
        if getattr(clinic, field)
    ]
    lacking = [field for field in fields if not getattr(clinic, field)]
    parts = [f"{line.rstrip('.')}." for line in said]
    if lacking or not said:
        unknown = " or ".join(lacking) or "hours, prices or bookings"
        parts.append(f"I don't know this clinic's {unknown}: the staff can tell you.")
    return " ".join(parts)


def contact(clinic: Clinic, lang: str = "en") -> Notice:
    """Return how to reach a person, with every way the clinic gave."""
    actions = []
    if clinic.phone:
        actions.append(Action(clinic.phone, tel(clinic.phone)))
    if clinic.email:
        actions.append(Action(clinic.email, f"mailto:{clinic.email}"))
    if clinic.booking:
        actions.append(Action("Book a visit", clinic.booking))
    if not actions and clinic.website:
        actions.append(Action(clinic.website, clinic.website))
    text = clinic.hours or "" if actions else f"Ask at the front desk of {clinic.name}."
    return Notice("contact", text, _CONTACT.get(lang, _CONTACT["en"]), tuple(actions))


def for_kind(kind: AnswerKind, settings: Settings, lang: str = "en") -> tuple[Notice, ...]:
    """Return the notices every answer of this kind ends with."""
    ai = Notice("ai", AI_LABEL)
    reach = contact(settings.clinic, lang)
    if kind == "emergency":
        return (ai,)
    if kind in ("answer", "personal"):
        return (Notice("disclaimer", settings.clinic.disclaimer), reach, ai)
    return (reach, ai)


def refusal(lang: str) -> Notice:
    """Return the fixed refusal, in the visitor's language where we have it."""
    return Notice("refusal", _REFUSAL.get(lang, REFUSAL))


def language(lang: str) -> Notice | None:
    """Return the sentence that says the pages are in English, or None for English."""
    return Notice("language", _LANGUAGE[lang]) if lang in _LANGUAGE else None


def personal(lang: str, *, answered: bool) -> Notice:
    """Return why no verdict is given and whom to ask, in the visitor's language if we have it."""
    english = PERSONAL if answered else PERSONAL_UNANSWERED
    return Notice("personal", _PERSONAL.get(lang, english))


def privacy(settings: Settings) -> str:
    """Return what happens to a visitor's words."""
    said = [STAYS_HERE]
    keeps = settings.privacy.keep_questions
    said.append(KEPT if keeps else SCRUBBED)
    said.append(FOR_DAYS.format(days=settings.privacy.keep_days))
    if settings.model.name:
        said.append(TO_A_MODEL)
    return " ".join(said)


def tel(number: str) -> str:
    """Return the address that dials `number`."""
    return "tel:" + "".join(c for c in number if c.isdigit() or c == "+")
