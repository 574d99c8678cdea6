"""What applies to every request: headers, refusals in plain words, static files, health."""

from __future__ import annotations

import re

import httpx
import msgspec
import pytest

from tests.widget.cedar_hill import SAMS_PHONE, WEBSITE, CedarHill, Person
from tests.widget.oak_lane import browser_of, settings_of
from widget.app import LARGEST_BODY, create_app
from widget.assets import asset

NOWHERE = "redis://127.0.0.1:1"


def policy_of(answer: httpx.Response) -> dict[str, str]:
    """Return the answer's Content-Security-Policy by directive."""
    parts = (part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";"))
    return {name: value for name, _, value in parts}


async def test_only_the_practices_own_websites_may_frame_its_booking_pages(person: Person) -> None:
    await person.open(person.start)
    assert policy_of(person.answer)["frame-ancestors"] == WEBSITE
    assert f'data-allowed-origins="{WEBSITE}"' in person.text
    for path in ("/console", "/nothing-here", "/health", "/book/nowhere"):
        answer = await person.browser.get(path)
        assert policy_of(answer)["frame-ancestors"] == "'none'", path


async def test_an_origin_that_is_none_cannot_change_the_policy(person: Person, cedar_hill: CedarHill) -> None:
    await cedar_hill.execute("UPDATE practice SET allowed_origins = '{https://a.example; script-src *}'")
    await person.open(person.start)
    assert policy_of(person.answer)["frame-ancestors"] == "'none'"
    assert policy_of(person.answer)["script-src"] == "'self'"


async def test_pages_run_no_inline_code_and_are_kept_by_nobody(person: Person) -> None:
    await person.sam_at_check()
    await person.open(f"{person.flow}/check")
    policy = policy_of(person.answer)
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert person.answer.headers["cache-control"] == "no-store"
    assert person.answer.headers["referrer-policy"] == "no-referrer"
    assert person.answer.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in person.answer.headers
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", person.text)


async def test_nothing_personal_is_in_an_address(person: Person) -> None:
    seen = []
    await person.choose(reason="Limps a little")
    seen.append(str(person.answer.url))
    await person.hold()
    await person.prove(SAMS_PHONE)
    seen.append(str(person.answer.url))
    await person.pick("Bo")
    await person.send(f"{person.flow}/check")
    seen.append(str(person.answer.url))
    assert not re.search(r"Limps|5550123|Sam|Field|Bo\b", " ".join(seen))


async def test_what_people_type_is_shown_as_they_typed_it(person: Person) -> None:
    await person.choose(reason='<b>Limps</b> & "more" {{ 7 * 7 }}')
    await person.open(f"{person.flow}/visit")
    assert "&lt;b&gt;Limps&lt;/b&gt; &amp; &#34;more&#34; {{ 7 * 7 }}" in person.text


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_forms_of_other_websites_are_refused(person: Person, site: str) -> None:
    type_ = str(person.cedar_hill.types["wellness"])
    fields = {"species": "dog", "client": "existing", "type": type_}
    answer = await person.browser.post(person.start, data=fields, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403


async def test_an_unknown_address_and_a_wrong_method_are_told_in_words(person: Person) -> None:
    for answer, status in (
        (await person.browser.get("/book/nowhere"), 404),
        (await person.browser.get("/visit/cedar-hill/not-a-token"), 404),
        (await person.browser.get("/book/%00"), 404),
        (await person.browser.delete(person.start), 405),
        (await person.browser.post(person.start, json={}), 400),
        (await person.browser.post(person.start, data={"reason": "a" * LARGEST_BODY}), 413),
    ):
        assert answer.status_code == status
        assert "<h1>" in answer.text
        assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "Please enter your name."),
        ({"name": "x" * 121}, "Please use at most 120 letters; these are 121."),
        ({"contact": ""}, "Please enter your phone number or email address."),
        ({"contact": "555"}, "Please enter a phone number with its area code, or an email address."),
        ({"contact": "sam@"}, "Please enter a phone number with its area code, or an email address."),
        ({"pet_name": "\0 \t"}, "Please enter your pet’s name."),
        ({"species": "lion"}, "Please choose what kind of pet."),
        ({"message": "x" * 501}, "Please use at most 500 letters; these are 501."),
    ],
)
async def test_what_cannot_stand_is_told_beside_its_field_and_on_top(
    person: Person, fields: dict[str, str], words: str
) -> None:
    right = {"name": "Noor", "contact": SAMS_PHONE, "pet_name": "Zuzu", "species": "dog", "message": "Hello"}
    await person.send(f"{person.start}/request", **(right | fields))
    assert person.answer.status_code == 422
    (name,) = fields
    assert f'<p class="error" id="{name}-error">{words}</p>' in person.text
    assert f'<a href="#{name}">{words}</a>' in person.text
    assert f'aria-describedby="{name}-error"' in person.text or f'{name}-hint {name}-error"' in person.text
    assert f'id="{name}"' in person.text
    kept = [value for field, value in right.items() if field not in fields]
    assert all(value in person.text for value in kept), "what was right is kept"


async def test_details_that_cannot_be_are_refused(person: Person) -> None:
    await person.choose(client="new")
    await person.hold()
    await person.prove("noor@example.com")
    flow = person.flow
    for fields, words in (
        ({"birth_date": "2999-01-01"}, "a date that is in the past"),
        ({"birth_date": "last spring"}, "year-month-day"),
        ({"other_contact": "not a phone"}, "a number with its area code"),
        ({"sex": "both"}, "Please choose one of these."),
        ({"species": "rabbit"}, "Please choose what kind of pet it is."),
    ):
        await person.send(f"{flow}/details?client=new", **({"sex": "", "species": "dog"} | fields))
        assert words in person.text
        assert person.answer.status_code == 422


async def test_a_time_that_is_no_time_is_refused(person: Person) -> None:
    await person.choose()
    await person.send(person.path, start="", provider="")
    assert "Please choose a time." in person.text
    for start in ("tomorrow", "2026-01-01T10:00", "9999999999"):
        await person.send(f"{person.flow}/times", start=start, provider="")
        assert person.answer.status_code == 400


async def test_an_outage_is_said_and_never_shown_as_no_times(cedar_hill: CedarHill, database_url: str) -> None:
    settings = settings_of(database_url, NOWHERE)
    async with browser_of(settings) as browser:
        person = Person(browser, cedar_hill)
        await person.choose()
        assert person.answer.status_code == 503
        assert "We are out of reach for a moment" in person.text
        assert "(212) 555-0142" in person.text, "the practice can still be called"
        assert "No times" not in person.text
        ready = await browser.get("/ready")
        assert ready.status_code == 503
        assert msgspec.json.decode(ready.content) == {"postgresql": True, "redis": False}
        assert (await browser.get("/health")).status_code == 200


async def test_a_lost_database_is_said(cedar_hill: CedarHill, database_url: str, redis_url: str) -> None:
    app = create_app(settings_of(database_url, redis_url))
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # narrower words for ASGI
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://testserver") as browser:
        await app.state.pool.close()
        times = f"/book/cedar-hill/times?type={cedar_hill.types['wellness']}&species=dog&client=new"
        answer = await browser.get(times)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "60"
        assert (await browser.get("/ready")).status_code == 503


async def test_static_files_are_named_by_their_content_and_kept_for_a_year(person: Person) -> None:
    await person.open(asset("vetslot.css"))
    assert person.answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert person.answer.headers["content-encoding"] == "gzip"
    assert "--brand" in person.text
    assert (await person.browser.get("/static/vetslot.0000000000.css")).status_code == 404
    assert (await person.browser.get("/static/..%2Fapp.py")).status_code == 404


async def test_a_page_weighs_little(person: Person) -> None:
    await person.choose()
    weight = len(person.answer.content)
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', person.text):
        weight += len((await person.browser.get(address)).content)
    assert weight < 60_000
