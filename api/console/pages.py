"""The page at ``/``: the demo's live floor plan, or on a plain server a word that it runs."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from api.access import services_of
from api.console.words import LANGUAGES, WORDS, choose_language
from api.errors import UnknownThingError

_HERE = Path(__file__).parent
_STATIC = {
    "demo.css": "text/css; charset=utf-8",
    "demo.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'"

console_router = APIRouter(include_in_schema=False)
_templates = Environment(
    loader=FileSystemLoader(_HERE / "templates"), autoescape=select_autoescape(), undefined=StrictUndefined
)


@console_router.get("/")
def home(request: Request, lang: Annotated[str | None, Query(max_length=16)] = None) -> HTMLResponse:
    """The live plan of the demo, in the reader's language."""
    language = choose_language(lang, request.headers.get("accept-language", ""))
    name = "demo.html" if services_of(request).demo is not None else "running.html"
    page = _templates.get_template(name).render(
        words=WORDS[language],
        language=language,
        languages=[(tag, WORDS[tag]["language_name"]) for tag in LANGUAGES],
        version=services_of(request).version,
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"})


@console_router.get("/static/{name}")
def static(name: str) -> FileResponse:
    """A page's own script, style or picture."""
    if name not in _STATIC:
        raise UnknownThingError("file", name)
    return FileResponse(_HERE / "static" / name, media_type=_STATIC[name], headers={"Cache-Control": "no-cache"})
