"""Why media are not fetched, however often it is tried."""

from hookline_processor.verdicts import Reject


class MediaTooLargeError(Reject):
    """Something is larger than the limit. Unless the handler catches this, its event becomes a dead letter at once."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(f"The media has more than {most_bytes} bytes. Raise most_bytes of fetch_media, or do without it.")
        self.most_bytes = most_bytes
