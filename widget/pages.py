"""Pages: templates become answers. Everything put into a template is escaped."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response
from litestar.response.redirect import Redirect

from widget import wording
from widget.assets import asset

TEMPLATES = Path(__file__).parent / "templates"

environment = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
environment.globals["asset"] = asset
environment.filters.update(wording.FILTERS)


def page(template: str, *, status: int = 200, **values: object) -> Response[str]:
    """Return a page made of a template and its values."""
    html = environment.get_template(template).render(**values)
    return Response(html, status_code=status, media_type="text/html; charset=utf-8")


def see_other(path: str) -> Redirect:
    """Lead on to a page with GET, so that reloading it repeats nothing."""
    return Redirect(path, status_code=303)
