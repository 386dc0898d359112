"""Checks the Bicep templates as far as possible without a Bicep compiler, and compares them with the code of rekeyd.
Prints one line per check, `ok` or `not ok`, followed by the problems."""

import functools
import json
import re
import sys
import tomllib
from pathlib import Path

from pycep import BicepParser

ROOT = Path(__file__).resolve().parents[3]
AZURE = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "deploy/azure"
TEMPLATES = sorted([*AZURE.glob("*.bicep"), *AZURE.glob("modules/*.bicep")])
PARAMETERS = sorted(AZURE.glob("*.bicepparam"))


def main():
    wrong = False
    for name, check in CHECKS.items():
        try:
            problems = check()
        except Exception as error:  # a check that raises has failed
            problems = [f"{type(error).__name__}: {str(error).splitlines()[0]}"]
        print(f"{'not ok' if problems else 'ok'} {name}")
        for problem in problems:
            print(f"    {problem}")
        wrong |= bool(problems)
    sys.exit(wrong)


def read(path):
    return path.read_text(encoding="utf-8")


@functools.cache  # the parser is slow
def parse(path):
    return BicepParser().parse(text=read(path))


def syntax():
    problems = []
    for path in TEMPLATES:
        try:
            parse(path)
        except Exception as error:
            problems.append(f"{path.name}: {str(error).splitlines()[0]}")
    return problems if TEMPLATES else ["found no template"]


def modules_fit():
    """Every parameter that is passed exists, every required one is passed, every output that is read exists."""
    problems = []
    for path in TEMPLATES:
        tree = parse(path)
        for name, module in tree.get("modules", {}).items():
            where = f"{path.name}: module {name}"
            target = path.parent / module["detail"]["full"]
            if not target.is_file():
                problems.append(f"{where}: {module['detail']['full']} does not exist")
                continue
            inner = parse(target)
            problems += [f"{where}: {text}" for text in unfit(set(body(module)["params"]), inner)]
            for output in re.findall(rf"\b{name}(?:\[\w+\])?\.outputs\.(\w+)", read(path)):
                if output not in inner.get("outputs", {}):
                    problems.append(f"{where}: has no output {output}")
    used = {(path.parent / m["detail"]["full"]).resolve() for path in TEMPLATES for m in parse(path).get("modules", {}).values()}
    unused = [path for path in TEMPLATES if path.parent.name == "modules" and path not in used]
    return problems + [f"{path.name}: no template uses it" for path in unused]


def body(element):
    while "params" not in element:
        element = element["config"]
    return element


def unfit(passed, tree):
    declared = tree.get("parameters", {})
    required = {name for name, param in declared.items() if param.get("default") is None}
    yield from (f"unknown parameter {name}" for name in sorted(passed - set(declared)))
    yield from (f"parameter {name} is missing" for name in sorted(required - passed))


def parameter_files_fit():
    problems = []
    for path in PARAMETERS:
        text = re.sub(r"//.*", "", read(path))
        using = re.search(r"^using '([^']+)'$", text, re.MULTILINE)
        if not using or not (path.parent / using[1]).is_file():
            problems.append(f"{path.name}: does not name an existing template")
            continue
        given = set(re.findall(r"^param (\w+) =", text, re.MULTILINE))
        problems += [f"{path.name}: {text}" for text in unfit(given, parse(path.parent / using[1]))]
        for named in re.findall(r"loadTextContent\('([^']+)'\)", text):
            if not (path.parent / named).is_file():
                problems.append(f"{path.name}: {named} does not exist")
    return problems if PARAMETERS else ["found no parameter file"]


def everything_is_described():
    problems = []
    for path in TEMPLATES:
        tree = parse(path)
        for kind in ["parameters", "outputs"]:
            for name, each in tree.get(kind, {}).items():
                if "description" not in [decorator["type"] for decorator in each["decorators"]]:
                    problems.append(f"{path.name}: {name} is not described")
    return problems


def names_are_known():
    """Every used name is declared, every declared name is used, and none hides a function of Bicep."""
    problems = []
    for path in TEMPLATES:
        code = without_texts(read(path))
        declared = set(re.findall(r"^(?:param|var|resource|module) (\w+)", code, re.MULTILINE))
        local = {name for pair in re.findall(r"\bfor (?:\((\w+), (\w+)\)|(\w+)) in\b", code) for name in pair if name}
        body = re.sub(r"^\s*\w+:", "", body_of(code), flags=re.MULTILINE)  # the keys of objects
        words = re.findall(r"(?<![.?@\w])([A-Za-z_]\w*)", body)
        for word in sorted(set(words) - declared - local - FUNCTIONS - KEYWORDS):
            problems.append(f"{path.name}: {word} is not declared")
        for word in sorted(declared & FUNCTIONS):
            problems.append(f"{path.name}: {word} hides a function of Bicep")
        for word in sorted(set(re.findall(r"^(?:param|var) (\w+)", code, re.MULTILINE))):
            if word not in words:
                problems.append(f"{path.name}: {word} is never used")
    return problems


def without_texts(code):
    """Returns the code without comments and string literals, but with the interpolated expressions."""
    kept, at = [], 0
    while at < len(code):
        if code.startswith("//", at):
            at = code.find("\n", at)
        elif code[at] == "'":
            at += 1
            while code[at] != "'":
                if code[at] == "\\":
                    at += 2
                elif code.startswith("${", at):
                    end = code.index("}", at)
                    kept.append(f" ({without_texts(code[at + 2 : end])}) ")
                    at = end + 1
                else:
                    at += 1
            kept.append(" '' ")
            at += 1
        else:
            kept.append(code[at])
            at += 1
    return "".join(kept)


def body_of(code):
    """Returns the code without names, types and decorators of declarations."""
    code = re.sub(r"^(?:targetScope|metadata).*$", "", code, flags=re.MULTILINE)
    code = re.sub(r"^(?:param|output|var|resource|module) \w+(?: (?:string|int|bool|object|array))?", "", code, flags=re.MULTILINE)
    return re.sub(r"^@\w+\(.*\)$|^@allowed\(\[[^\]]*\]\)$", "", code, flags=re.MULTILINE)


def agrees_with_rekeyd():
    """The templates match the code of rekeyd; when the code changes, they must change too."""
    problems = []

    def agree(what, holds):
        if not holds:
            problems.append(what)

    container, functions = (read(AZURE / name) for name in ["container-apps.bicep", "functions.bicep"])
    waking = re.search(r"const WAKING.*?= \[(.*?)\];", read(ROOT / "src/triggers/event_grid.rs"), re.DOTALL)[1]
    subscribed = read(AZURE / "modules/vault-subscription.bicep")
    agree(
        "the event types are those that rekeyd handles",
        set(re.findall(r'"(Microsoft\.KeyVault\.\w+)"', waking)) == set(re.findall(r"'(Microsoft\.KeyVault\.\w+)'", subscribed)),
    )
    example = tomllib.loads(read(AZURE / "rekeyd.toml"))
    port = example["health"]["listen"].rpartition(":")[2]
    agree("the probes use the port of health.listen", set(re.findall(r"port: (\d+)", container)) == {port})
    agree("health.listen is not loopback", not example["health"]["listen"].startswith("127."))
    routes = "".join(read(path) for path in (ROOT / "src/http").rglob("*.rs"))
    for path in re.findall(r"path: '(/\w+)'", container):
        agree(f"rekeyd answers {path}", f'"{path}"' in routes)
    grace = int(re.search(r"terminationGracePeriodSeconds: (\d+)", container)[1])
    shutdown = int(re.search(r'"reconcile.shutdown_grace", "(\d+)s"', read(ROOT / "src/config/keys.rs"))[1])
    agree("the platform waits longer than shutdown_grace", grace > shutdown)
    agree("a sweep is logged as the alert expects", '"started sweep"' in read(ROOT / "src/reconcile/sweep.rs"))
    queries = read(AZURE / "modules/alerts.bicep")
    agree("an alert queries for sweeps", '== "started sweep"' in queries)
    agree("alerts query existing fields", set(re.findall(r"\bline\.(\w+)", queries)) <= FIELDS)
    outcomes = read(ROOT / "src/domain/status.rs")
    agree("the outcomes of failures are those of the alerts", '"failed"' in outcomes and '"unknown"' in outcomes)

    # The trigger files name the settings that the host needs.
    queue = json.loads(read(ROOT / "deploy/functions/KeyVaultQueue/function.json"))["bindings"][0]
    settings = set(re.findall(r"name: '([A-Za-z_]+)'\n\s+value:", functions))
    agree("the setting of the queue's name", queue["queueName"].strip("%") in settings)
    for suffix in ["queueServiceUri", "credential", "clientId"]:
        agree(f"the setting {suffix} of the queue", f"{queue['connection']}__{suffix}" in settings)
    agree("rekeyd accepts every setting", all(name in KNOWN for name in settings if name.startswith("REKEYD_")))
    environment = set(re.findall(r"name: '(REKEYD_\w+)'", container))
    agree("rekeyd accepts every variable", environment <= KNOWN)
    return [f"not true: {problem}" for problem in problems]


KNOWN = {"REKEYD_CONFIG", "REKEYD_IDENTITY__CLIENT_ID", "REKEYD_QUEUE__URL"}

# Fields of a log line, of an error about a secret, and of an action in the audit trail.
FIELDS = set("level target message secret reason event action outcome detail".split())

KEYWORDS = set("if for in existing null true false dependsOn".split())

FUNCTIONS = set(
    """any array base64 bool concat contains deployment empty endsWith environment first flatten format guid indexOf int
    intersection items join json last length list loadTextContent managementGroup map max min range reduce reference
    replace resourceGroup resourceId skip sort split startsWith string subscription subscriptionResourceId substring
    take tenant toLower toUpper trim union uniqueString uri utcNow allowed description metadata minLength maxLength
    minValue maxValue secure sys az""".split()
)

CHECKS = {
    "every template is well-formed": syntax,
    "modules get the parameters that they declare": modules_fit,
    "parameter files name existing parameters and files": parameter_files_fit,
    "parameters and outputs are described": everything_is_described,
    "every name is declared and used": names_are_known,
    "the templates agree with the code": agrees_with_rekeyd,
}

if __name__ == "__main__":
    main()
