"""Every error Citewell raises on purpose. Each message says what, where and what to do next."""


class CitewellError(Exception):
    """Base of all: `app` prints its message as one line and exits; nothing else is caught there."""


class ConfigError(CitewellError):
    """A setting is wrong. The message names the file, the line and the key."""


class PageError(CitewellError):
    """One page cannot be read. Loading reports it and goes on with the rest."""


class ModelError(CitewellError):
    """The embedding model is missing, or its weights are not the ones expected."""


class IndexMissingError(CitewellError):
    """There is no index where one was expected."""


class IndexMismatchError(CitewellError):
    """The index was made with another model or other parameters than those asked for now."""


class IndexDamagedError(CitewellError):
    """The index's files cannot be read."""


class IndexUnavailableError(CitewellError):
    """The Chroma server that holds the vectors does not answer. It may again, any time."""


class IndexBusyError(CitewellError):
    """Another process is writing this index."""


class DataFolderError(CitewellError):
    """The data folder cannot be written, or not be read although nothing in it is damaged."""
