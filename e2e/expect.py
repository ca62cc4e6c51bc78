"""What docs/formats/mlflow.md says about a run, computed from the archive alone."""

import datetime
import fractions
import hashlib
import json
import math
import os
import re
import unicodedata

MAX_DOUBLE = 1.7976931348623157e308
EPOCH = datetime.datetime(1970, 1, 1)
KEY = re.compile(r"[/\w.\- :]*")
CHANGED = re.compile(r"_[hk][0-9a-f]{16}$")
EXTENSION = re.compile(r"\.[A-Za-z0-9_+-]{1,19}$")
PARAM_KINDS = {"float", "int", "string", "bool", "datetime", "string_set"}
FILE_KINDS = {"file", "file_set", "file_series"}


def digest(*fields, size=16):
    return hashlib.blake2b("\0".join(fields).encode(), digest_size=size).hexdigest()


def legal_key(key):
    """What MLflow's own validators take."""
    if not key or len(key) > 250 or not KEY.fullmatch(key) or key.startswith("..") or key.startswith("/"):
        return False
    return all(s not in ("", ".", "..") for s in key.split("/"))


def key_is_right(path, kind, key, second):
    """Whether key is what a path must become; second: another kind took the plain one."""
    if not legal_key(key):
        return "is refused by MLflow"
    plain = legal_key(path) and not CHANGED.search(path)
    if plain and not second:
        return None if key == path else "should not have been changed"
    end = "_h" + digest(path, size=8)
    if second:
        end = "_k" + digest(digest(path, size=8) + kind, size=8)
    if not key.endswith(end):
        return "does not end with the digest of the original"
    return None


def legal_artifact(path):
    """Artifact paths that are used as they are."""
    for s in path.split("/"):
        if s in ("", ".", "..") or s.startswith(" ") or s.endswith(" ") or len(s.encode()) > 200:
            return False
        if not all(c in "_-.+ " or unicodedata.category(c)[0] in "LN" for c in s):
            return False
    return True


def segment_is_right(got, plain):
    """Whether a segment of an artifact path is the plain one, or shows that it was changed."""
    return got == plain or re.search(r"_h[0-9a-f]{16}(\.[^.]*)?$", got) is not None


def stored_step(micro, multiplier):
    """step x multiplier, half to even, and whether that was whole."""
    exact = fractions.Fraction(micro, 10**6) * multiplier
    return round(exact), exact.denominator == 1


def fits(step):
    return -(2**63) <= step < 2**63


def on_server(value):
    if math.isinf(value):
        return math.copysign(MAX_DOUBLE, value)
    return value


def step_text(micro):
    sign, micro = ("-", -micro) if micro < 0 else ("", micro)
    whole, rest = divmod(micro, 10**6)
    return sign + str(whole) + (("." + f"{rest:06d}".rstrip("0")) if rest else "")


CYCLE = 146097 * 86400 * 1000  # 400 years in ms: the calendar repeats


def time_text(ms):
    """RFC 3339 in UTC with milliseconds; years of more than four digits have a sign and six."""
    if ms is None:
        return ""
    cycles = 0
    while not -62167219200000 <= ms - cycles * CYCLE < -62167219200000 + CYCLE * 24:
        cycles += 1 if ms > 0 else -1
    # Python has no year 0: one cycle later is the same day.
    t = EPOCH + datetime.timedelta(milliseconds=ms - cycles * CYCLE + CYCLE)
    year = t.year - 400 + 400 * cycles
    head = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+07d}"
    return f"{head}-{t:%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def param_text(kind, value):
    """The text of a scalar; string sets are compared as JSON by the caller."""
    if kind == "datetime":
        return time_text(value)
    if kind == "float":
        return repr(value)
    if kind == "string_set":
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)


def escaped(text):
    for a, b in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(a, b)
    return text


def text_line(point):
    step, ms, text = point
    return f"{step_text(step)}\t{time_text(ms)}\t{escaped(text)}\n"


def extension(path):
    """The extension of a stored name."""
    m = EXTENSION.search(os.path.basename(path))
    return m[0] if m else ""


class Meta:
    """Run name, times, status and tags, from the sys/* attributes."""

    def __init__(self, run):
        first = first_time(run)
        created = run.scalar("sys/creation_time", "datetime")
        self.start = created if created is not None else (first or 0)
        end = run.scalar("sys/ping_time", "datetime")
        if end is None:
            end = run.scalar("sys/modification_time", "datetime")
        self.end = None if end is None else max(end, self.start)
        self.status = "FAILED" if run.scalar("sys/failed", "bool") else "FINISHED"
        self.name = (run.scalar("sys/custom_run_id", "string") or run.id)
        self.user = run.scalar("sys/owner", "string")
        self.description = run.scalar("sys/description", "string")
        self.tags = run.scalar("sys/tags", "string_set") or []
        self.parent, self.parent_scope = run.scalar("sys/forking/parent", "string"), run.scope
        if run.scope == "model_version":
            self.parent, self.parent_scope = run.scalar("sys/model_id", "string") or model_of(run.id), "model"
        self.stage = run.scalar("sys/stage", "string")
        self.sys_id = run.scalar("sys/id", "string")
        self.git = git(run.scalar("source_code/git", "git_ref"))

    def run_tags(self, run, multiplier):
        """The tags whose key and value are known beforehand."""
        tags = {
            "neptune.project": run.project, "neptune.run_id": run.id, "neptune.scope": run.scope,
            "nexport.id": digest(run.project, run.scope, run.id),
            "nexport.step_multiplier": str(multiplier),
        }
        for key, value in (("mlflow.user", self.user), ("neptune.parent", self.parent),
                           ("neptune.sys_id", self.sys_id), ("neptune.stage", self.stage),
                           ("mlflow.note.content", self.description), *self.git):
            if value:
                tags[key] = value
        return tags


def git(text):
    """MLflow's own tags for what a git_ref says: none of an address with credentials."""
    ref = json.loads(text or "{}")
    remotes = ref.get("remotes") or []
    remote = remotes[0] if len(remotes) == 1 and not re.match(r"https?://[^/]*@|[a-z+]+://[^/@]*:[^/@]*@", remotes[0]) else None
    return (("mlflow.source.git.commit", ref.get("commit", {}).get("commitId")), ("mlflow.source.git.branch", ref.get("currentBranch")),
            ("mlflow.source.git.repoURL", remote))


def model_of(version):
    """The ID of a version's model, if it is one of Neptune's."""
    model, _, number = version.rpartition("-")
    return model if number.isascii() and number.isdigit() else None


def first_time(run):
    """The time of the first point of the first series, in the archive's order."""
    for a in run.attributes.values():
        if a.series and a.rows:
            return a.points()[0][1]
    return None
