"""Pages as tests read them: tags checked, texts and pictures taken out."""

import base64
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """An HTML page, read by the standard library.

    Attributes:
        tags: every start tag with its attributes, in order.
        texts: every text, in order, entities resolved.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1] == tag, f"</{tag}> closes {self._open[-1:]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def pictures(self) -> list[bytes]:
        """The content of each picture, every one of which must be in the page itself."""
        contents = []
        for name, attributes in self.tags:
            if name == "img":
                kind, _, data = (attributes["src"] or "").partition(",")
                assert kind == "data:image/png;base64"
                assert attributes["alt"]
                contents.append(base64.b64decode(data, validate=True))
        return contents
