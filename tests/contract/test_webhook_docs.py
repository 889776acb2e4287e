"""What docs/webhooks.md shows works: verification, and the endpoint in the file."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

from sinks.webhooks.body import body_of, headers_of
from tests.unit.sinks.webhooks.samples import OTHER, SECRET, alert
from tillstream.webhook_settings import WebhookSettings

PAGE = (Path(__file__).parents[2] / "docs/webhooks.md").read_text("utf-8")
BODY = body_of("restock.raised", alert(reason="æ"), "")
NOW = time.time_ns() // 1000
STRANGER = "whsec_" + "eHh4" * 12


def code(language):
    return re.search(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[1]


def sent(*secrets, age=0):
    return headers_of("msg_1", BODY, NOW - age * 1_000_000, secrets)


CASES = [
    (SECRET, sent(SECRET), BODY, True),
    (OTHER, sent(SECRET, OTHER), BODY, True),
    (STRANGER, sent(SECRET, OTHER), BODY, False),
    (SECRET, sent(SECRET), BODY + b" ", False),
    (SECRET, {**sent(SECRET), "webhook-id": "msg_2"}, BODY, False),
    (SECRET, sent(SECRET, age=3600), BODY, False),
    (SECRET, sent(SECRET, age=-3600), BODY, False),
    (SECRET, {**sent(SECRET), "webhook-signature": "v1"}, BODY, False),
]


@pytest.mark.parametrize(("secret", "headers", "body", "valid"), CASES)
def test_the_python_of_the_page_verifies(secret, headers, body, valid):
    names = {}
    exec(code("python"), names)  # what the page shows
    assert names["verify"](secret, headers, body) is valid


def test_the_javascript_of_the_page_verifies(tmp_path):
    if shutil.which("node") is None:
        pytest.skip("there is no node")
    cases = [[secret, headers, body.decode()] for secret, headers, body, _ in CASES]
    file = tmp_path / "verify.js"
    file.write_text(
        code("js") + f"\nconst cases = {json.dumps(cases)};\n"
        "console.log(JSON.stringify(cases.map(([secret, headers, body]) => verify(secret, headers, body))));\n",
        "utf-8",
    )
    done = subprocess.run(["node", str(file)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [valid for *_, valid in CASES]


def test_the_go_of_the_page_verifies(tmp_path):
    if shutil.which("go") is None:
        pytest.skip("there is no go")
    file = tmp_path / "verify.go"
    tests = "\n".join(
        f"\tcheck({json.dumps(secret)}, `{json.dumps(headers)}`, {json.dumps(body.decode(), ensure_ascii=False)})"
        for secret, headers, body, _ in CASES
    )
    packages = [
        "crypto/hmac", "crypto/sha256", "encoding/base64", "encoding/json", "fmt", "net/http", "strconv", "strings",
        "time",
    ]  # fmt: skip
    imports = "\n".join(f'\t"{name}"' for name in packages)
    file.write_text(
        f"package main\n\nimport (\n{imports}\n)\n\n{code('go')}\n"
        "func check(secret, given, body string) {\n\tvar flat map[string]string\n"
        "\tjson.Unmarshal([]byte(given), &flat)\n\theaders := http.Header{}\n"
        "\tfor name, value := range flat {\n\t\theaders.Set(name, value)\n\t}\n"
        f"\tfmt.Println(verify(secret, headers, []byte(body)))\n}}\n\nfunc main() {{\n{tests}\n}}\n",
        "utf-8",
    )
    done = subprocess.run(["go", "run", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(valid).lower() for *_, valid in CASES]


def test_the_endpoint_of_the_page_is_one(tmp_path):
    (tmp_path / "secret").write_text(SECRET + "\n", "utf-8")
    (table,) = tomllib.loads(code("toml"))["webhooks"]
    table["secret_file"] = str(tmp_path / "secret")
    assert WebhookSettings(**table).secrets == (SECRET,)


def test_every_field_of_an_endpoint_is_on_the_page():
    told = re.findall(r"^\| `(\w+)` \|", PAGE.partition("## What a receiver")[0], re.MULTILINE)
    assert set(told) == set(WebhookSettings.model_fields)
