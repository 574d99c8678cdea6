"""XML from a server that may be anybody: without document types, and so without entities that grow; and XML to it.

Of an answer only what WebDAV calls a multistatus (RFC 4918, 13) is read: what is said of each address.
"""

from collections.abc import Iterator
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat
from xml.sax.saxutils import escape

from msgspec import Struct

DAV = "DAV:"
CALDAV = "urn:ietf:params:xml:ns:caldav"
CALENDARSERVER = "http://calendarserver.org/ns/"
DEEPEST = 60

NAMESPACES = f'xmlns:d="{DAV}" xmlns:c="{CALDAV}" xmlns:s="{CALENDARSERVER}"'


class UnreadableXml(ValueError):
    """The text is no XML that we read."""


class Said(Struct, frozen=True):
    """What a multistatus says of one address: a status of the whole (None: see `props`), and what properties it has."""

    href: str
    status: int | None
    props: dict[str, Element]

    def text(self, name: str) -> str | None:
        """Return the text of a property."""
        found = self.props.get(name)
        return None if found is None or found.text is None else found.text

    def href_in(self, name: str) -> str | None:
        """Return the address that a property holds."""
        found = self.props.get(name)
        inner = None if found is None else found.find(f"{{{DAV}}}href")
        return None if inner is None or not inner.text else inner.text.strip()


def dav(name: str) -> str:
    return f"{{{DAV}}}{name}"


def cal(name: str) -> str:
    return f"{{{CALDAV}}}{name}"


def parse(text: bytes) -> Element:
    """Return the root. Raises `UnreadableXml`; a document type is refused before anything of it is expanded."""
    parser = expat.ParserCreate(namespace_separator="}")
    builder = TreeBuilder()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise UnreadableXml("nested too deeply")
        builder.start(_named(tag), {_named(name): value for name, value in attributes.items()})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_named(tag))

    def refuse(*_: object) -> None:
        raise UnreadableXml("has a document type")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.buffer_text = True
    try:
        parser.Parse(text, True)
        return builder.close()
    except (expat.ExpatError, AssertionError, LookupError, ValueError) as error:
        if isinstance(error, UnreadableXml):
            raise
        raise UnreadableXml("is not well-formed") from None


def multistatus(text: bytes) -> tuple[list[Said], str | None]:
    """Return what is said of each address, and the sync token, where there is one."""
    root = parse(text)
    if root.tag != dav("multistatus"):
        raise UnreadableXml("is no multistatus")
    token = root.findtext(dav("sync-token"))
    return list(_responses(root)), token.strip() if token else None


def preconditions(text: bytes) -> set[str]:
    """Return the names in an error's body (RFC 4918, 16); none where it has no such body."""
    try:
        root = parse(text)
    except UnreadableXml:
        return set()
    return {child.tag.rpartition("}")[2] for child in root} if root.tag == dav("error") else set()


def propfind(*names: str) -> bytes:
    """Write a question for properties, each with its prefix: `d:`, `c:` or `s:`."""
    return _document(f"<d:propfind {NAMESPACES}>{_props(names)}</d:propfind>")


def sync_collection(token: str | None) -> bytes:
    """Write the question for what changed since a token (RFC 6578, 3.2); without one, for everything."""
    return _document(
        f"<d:sync-collection {NAMESPACES}><d:sync-token>{escape(token or '')}</d:sync-token>"
        f"<d:sync-level>1</d:sync-level>{_props(['d:getetag'])}</d:sync-collection>"
    )


def multiget(hrefs: list[str]) -> bytes:
    """Write the question for these events (RFC 4791, 7.9)."""
    listed = "".join(f"<d:href>{escape(href)}</d:href>" for href in hrefs)
    return _document(f"<c:calendar-multiget {NAMESPACES}>{_props(EVENT)}{listed}</c:calendar-multiget>")


def events_between(start: str, end: str) -> bytes:
    """Write the question for the events that touch a time (RFC 4791, 9.9), both ends as `20261126T000000Z`."""
    return _query(f'<c:time-range start="{start}" end="{end}"/>')


def events_with_uid(uid: str) -> bytes:
    """Write the question for an event by its UID."""
    return _query(
        f'<c:prop-filter name="UID"><c:text-match collation="i;octet">{escape(uid)}</c:text-match></c:prop-filter>'
    )


EVENT = ["d:getetag", "c:calendar-data"]


def _query(condition: str) -> bytes:
    return _document(
        f"<c:calendar-query {NAMESPACES}>{_props(EVENT)}"
        f'<c:filter><c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT">{condition}'
        "</c:comp-filter></c:comp-filter></c:filter></c:calendar-query>"
    )


def _props(names: list[str] | tuple[str, ...]) -> str:
    return "<d:prop>" + "".join(f"<{name}/>" for name in names) + "</d:prop>"


def _document(body: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?>{body}'.encode()


def _named(name: str) -> str:
    return "{" + name if "}" in name else name


def _responses(root: Element) -> Iterator[Said]:
    for response in root.iterfind(dav("response")):
        props: dict[str, Element] = {}
        for propstat in response.iterfind(dav("propstat")):
            if _status(propstat.findtext(dav("status"))) in (200, None):
                props |= {prop.tag: prop for prop in propstat.find(dav("prop")) or ()}
        status = _status(response.findtext(dav("status")))
        for href in response.iterfind(dav("href")):
            yield Said((href.text or "").strip(), status, props)


def _status(line: str | None) -> int | None:
    words = (line or "").split()
    return int(words[1]) if len(words) > 1 and words[1].isascii() and words[1].isdigit() else None
