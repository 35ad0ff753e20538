"""Pages to passages, and back.

    load -> Document -> chunk -> Chunk -> embed, store -> one generation -> retrieve -> Hit

Importing this package also switches off every phone-home of the libraries beneath it, before any
of them can be imported: the promise is that no request leaves the machine unless the clinic
configured one. `setdefault` leaves the operator the last word.
"""

import os

for _name, _value in {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "CHROMA_OTEL_COLLECTION_ENDPOINT": "",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "LANGSMITH_TRACING": "false",
    "TOKENIZERS_PARALLELISM": "false",
}.items():
    os.environ.setdefault(_name, _value)
