"""What secrets look like: data for redact.py, a row a kind. A provider is added here, in one line.

Standard library only; `re` is imported and a pattern compiled when its needle was first seen: compiling them all would
cost the one-shot path more than the whole gate.

Every pattern is linear: no nested or adjacent open-ended repetition, and what stands before a fixed prefix is bounded.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re


class Row:
    """One kind of secret: found by `pattern` (group 1, else the whole match) in a text that contains a `needle`."""

    __slots__ = ("_compiled", "kind", "needles", "source")

    def __init__(self, kind: str, needles: str, source: str) -> None:
        self.kind = kind
        self.needles = tuple(needles.split(" "))
        self.source = source
        self._compiled: re.Pattern[str] | None = None

    @property
    def pattern(self) -> re.Pattern[str]:
        if self._compiled is None:
            import re

            self._compiled = re.compile(self.source)
        return self._compiled


_B = r"(?<![A-Za-z0-9])"  # no secret begins in the middle of a word
_URLSAFE = r"[A-Za-z0-9_-]"

PREFIXED = {
    "ghp gho ghu ghs ghr": ("github", _B + r"gh[pousr]_[A-Za-z0-9]{20,255}"),
    "github_pat": ("github", _B + r"github_pat_[A-Za-z0-9_]{20,255}"),
    "glpat gloas gldt glrt glcbt glptt glft glimt glsoat glffct": (
        "gitlab",
        _B + r"gl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|soat|ffct)-[A-Za-z0-9_.=-]{18,320}",
    ),
    "sk": (
        "api-key",
        _B + r"sk-(?!ant-)(?=[A-Za-z_-]{0,250}[0-9])(?=[A-Za-z0-9_-]{0,40}?[A-Za-z0-9]{10})[A-Za-z0-9_-]{20,250}"
        r"|" + _B + r"sk_[a-f0-9]{48}(?![A-Za-z0-9])",
    ),
    "sk-ant": ("anthropic", _B + r"sk-ant-[A-Za-z0-9_-]{16,250}"),
    "sk_live sk_test rk_live rk_test sk_prod rk_prod": ("stripe", _B + r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,250}"),
    "whsec": ("webhook-secret", _B + r"whsec_[A-Za-z0-9+/=]{16,128}"),
    "xoxb xoxp xoxa xoxr xoxs xoxe xoxc xoxd xapp": (
        "slack",
        _B + r"(?:xox[a-z](?:\.xox[a-z])?|xapp)-(?=[A-Za-z%-]{0,300}[0-9])[A-Za-z0-9%-]{10,300}",
    ),
    "npm": ("npm", _B + r"npm_[A-Za-z0-9]{36}"),
    "pypi": ("pypi", _B + r"pypi-[A-Za-z0-9_-]{50,300}"),
    "SG": ("sendgrid", _B + r"SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,128}"),
    "ya29": ("google-oauth", _B + r"ya29\.[A-Za-z0-9_.-]{20,512}"),
    "GOCSPX": ("google-oauth", _B + r"GOCSPX-[A-Za-z0-9_-]{20,64}"),
    "hvs hvb hvr": ("vault", _B + r"hv[sbr]\.[A-Za-z0-9_-]{20,300}"),
    "dop_v1 doo_v1 dor_v1": ("digitalocean", _B + r"do[opr]_v1_[a-f0-9]{32,128}"),
    "HRKU": ("heroku", _B + r"HRKU-[A-Za-z0-9_-]{30,128}"),
    "hf": ("huggingface", _B + r"hf_[A-Za-z]{30,64}|" + _B + r"hf_[A-Za-z0-9]{30,64}"),
    "api_org": ("huggingface", _B + r"api_org_[A-Za-z]{30,64}"),
    "cfut cfat cfk": ("cloudflare", _B + r"cf(?:ut|at|k)_[A-Za-z0-9]{30,128}"),
    "shpat shpca shppa shpss": ("shopify", _B + r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32,64}"),
    "sq0atp sq0csp": ("square", _B + r"sq0(?:atp|csp)-[A-Za-z0-9_-]{20,64}"),
    "NRAK NRJS": ("newrelic", _B + r"NR(?:AK|JS)-[A-Za-z0-9]{19,64}"),
    "glsa glc": ("grafana", _B + r"gl(?:sa|c)_[A-Za-z0-9_+/=]{30,300}"),
    "lin_api": ("linear", _B + r"lin_api_[A-Za-z0-9]{30,64}"),
    "ntn": ("notion", _B + r"ntn_[A-Za-z0-9]{40,64}"),
    "PMAK": ("postman", _B + r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    "pul": ("pulumi", _B + r"pul-[a-f0-9]{40}"),
    "dp": ("doppler", _B + r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_.-]{30,128}"),
    "pscale_tkn pscale_pw pscale_oauth": ("planetscale", _B + r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{30,64}"),
    "sbp sb_secret": ("supabase", _B + r"(?:sbp|sb_secret)_[A-Za-z0-9_-]{20,64}"),
    "sntrys sntryu": ("sentry", _B + r"sntry[su]_[A-Za-z0-9_+/=-]{32,300}"),
    "atlasv1": ("terraform", _B + r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{40,100}"),
    "dckr_pat dckr_oat": ("docker", _B + r"dckr_[po]at_[A-Za-z0-9_-]{20,64}"),
    "dt0c01 dt0s01": ("dynatrace", _B + r"dt0[cs]01\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{64}"),
    "figd": ("figma", _B + r"figd_[A-Za-z0-9_-]{30,64}"),
    "gsk": ("groq", _B + r"gsk_[A-Za-z0-9]{40,64}"),
    "xai": ("xai", _B + r"xai-[A-Za-z0-9]{60,100}"),
    "r8": ("replicate", _B + r"r8_[A-Za-z0-9]{36,40}"),
    "pplx": ("perplexity", _B + r"pplx-[A-Za-z0-9]{40,64}"),
    "nfp": ("netlify", _B + r"nfp_[A-Za-z0-9]{36,64}"),
    "rubygems": ("rubygems", _B + r"rubygems_[a-f0-9]{48}"),
    "tskey": ("tailscale", _B + r"tskey-[a-z]{2,10}-[A-Za-z0-9]{6,40}-[A-Za-z0-9]{10,64}"),
    "squ sqp sqa": ("sonarqube", _B + r"sq[upa]_[a-f0-9]{40}"),
    "CFPAT": ("contentful", _B + r"CFPAT-[A-Za-z0-9_-]{40,64}"),
    "AGE": ("age-key", r"AGE-SECRET-KEY-1[0-9A-Za-z]{20,100}"),
    "fm1r fm1a fm2": ("fly", _B + r"fm[12][ar]?_[A-Za-z0-9+/=_-]{40,1000}"),
    "fo1": ("fly", _B + r"fo1_[A-Za-z0-9_-]{40,64}"),
    "xkeysib xsmtpsib": ("brevo", _B + r"x(?:key|smtp)sib-[a-f0-9]{64}-[A-Za-z0-9]{16}"),
    "sl": ("dropbox", _B + r"sl\.(?:u\.)?[A-Za-z0-9_-]{60,2000}"),
    "bkua bkaj": ("buildkite", _B + r"bk(?:ua|aj)_[a-f0-9]{40}"),
    "CCIPAT CCIPRJ": ("circleci", _B + r"CCIP(?:AT|RJ)_[A-Za-z0-9]{16,40}_[a-f0-9]{40}"),
    "pcsk": ("pinecone", _B + r"pcsk_[A-Za-z0-9_]{40,100}"),
    "csk": ("cerebras", _B + r"csk-[a-z0-9]{40,64}"),
    "tvly": ("tavily", _B + r"tvly-[A-Za-z0-9-]{20,64}"),
    "phx": ("posthog", _B + r"phx_[A-Za-z0-9]{40,64}"),
    "sgp": ("sourcegraph", _B + r"sgp_(?:[a-f0-9]{16}_)?[a-f0-9]{40}"),
    "rnd": ("render", _B + r"rnd_[A-Za-z0-9]{24,64}"),
    "tfp": ("typeform", _B + r"tfp_[A-Za-z0-9_.=-]{40,100}"),
    "pnu pnb": ("prefect", _B + r"pn[ub]_[A-Za-z0-9]{36}"),
    "lsv2": ("langsmith", _B + r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}"),
}
"""What stands before a separator (`_`, `-` or `.`) of a token with a prefix -> (kind, pattern)."""

OTHER = (
    Row(
        "aws-access-key",
        "AKIA ASIA ABIA ACCA",
        r"(?:(?<![A-Za-z0-9+/])|(?<=://))A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}(?![A-Za-z0-9+/])",
    ),
    Row(
        "private-key",
        "LS0tLS1CRUdJTi",
        r"LS0tLS1CRUdJTi(?:BSU0E|BQUklW|BFQyBQ|BPUEVO|BFTkNS|BEU0Eg)[A-Za-z0-9+/=]{20,20000}",
    ),
    Row("cloudflare", "v1.0-", _B + r"v1\.0-[a-f0-9]{24}-[a-f0-9]{64,256}"),
    Row("google-api-key", "AIza", _B + r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    Row("google-oauth", "1//0", _B + r"1//0[A-Za-z0-9_-]{40,200}"),
    Row("jwt", "eyJ", _B + r"eyJ[A-Za-z0-9_-]{8,4000}\.eyJ[A-Za-z0-9_-]{8,8000}(?:\.[A-Za-z0-9_-]{0,2000})?"),
    Row("jwt", "eyJ", _B + r"eyJ[A-Za-z0-9_-]{8,4000}\.(?:[A-Za-z0-9_-]{0,1000}\.){3}[A-Za-z0-9_-]{8,1000}"),
    Row("twilio", "SK", _B + r"SK[0-9a-f]{32}(?![A-Za-z0-9])"),
    Row("databricks", "dapi", _B + r"dapi[0-9a-f]{32}(?:-\d)?(?![A-Za-z0-9])"),
    Row("azure-ad", "Q~", r"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~.-])"),
    Row("telegram", ":AA", r"(?<![0-9])[0-9]{8,10}:AA[A-Za-z0-9_-]{32,33}(?![A-Za-z0-9_-])"),
    Row("azure-sas", "sig=", r"(?<=[?&;\"' ])sig=([A-Za-z0-9%+/=_-]{20,200})"),
    Row(
        "slack-webhook",
        "hooks.slack.com",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9_/-]{20,200})",
    ),
    Row(
        "discord-webhook",
        "webhooks/",
        r"discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/([0-9]{16,20}/[A-Za-z0-9_-]{50,100})",
    ),
    Row("teams-webhook", "webhook.office.com", r"webhook\.office\.com/webhookb2/([A-Za-z0-9@/-]{60,300})"),
    Row("atlassian", "ATATT3 ATCTT3 ATBB", _B + r"AT(?:ATT3|CTT3|BB)[A-Za-z0-9_=-]{28,250}"),
    Row("artifactory", "AKCp", _B + r"AKCp[A-Za-z0-9]{60,80}"),
    Row("alibaba", "LTAI", _B + r"LTAI[A-Za-z0-9]{16,24}(?![A-Za-z0-9])"),
    Row("mailgun", "key-", _B + r"key-[a-f0-9]{32}(?![A-Za-z0-9])"),
    Row("mailchimp", "-us", _B + r"[a-f0-9]{32}-us\d{1,2}(?![A-Za-z0-9])"),
    Row("discord", ".", _B + r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}(?![A-Za-z0-9_-])"),
    Row("clojars", "CLOJARS_", _B + r"CLOJARS_[a-z0-9]{60}"),
    Row("jina", "jina_", _B + r"jina_[A-Za-z0-9_-]{50,80}"),
    Row("gitlab", "glagent- glrtr-", _B + r"gl(?:agent|rtr)-[A-Za-z0-9_-]{20,64}"),
    Row("neon", "napi_", _B + r"napi_[a-z0-9]{40,80}"),
    Row("nvidia", "nvapi-", _B + r"nvapi-[A-Za-z0-9_-]{40,100}"),
    Row("resend", "re_", _B + r"re_[A-Za-z0-9]{6,12}_[A-Za-z0-9]{18,40}(?![A-Za-z0-9])"),
    Row("hubspot", "pat-", _B + r"pat-[a-z]{2}\d-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"),
    Row("launchdarkly", "sdk-", _B + r"sdk-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"),
    Row("airtable", "pat", _B + r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}(?![A-Za-z0-9])"),
    Row("square", "EAAA", _B + r"EAAA[A-Za-z0-9_-]{60}(?![A-Za-z0-9_-])"),
    Row("facebook", "EAA", _B + r"EAA[A-Z](?=[A-Za-z]{0,80}[0-9])[A-Za-z0-9]{80,300}(?![A-Za-z0-9+/])"),
    Row("notion", "secret_", _B + r"secret_[A-Za-z0-9]{43}(?![A-Za-z0-9_])"),
    Row(
        "braintree", "access_token$", r"access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}(?![A-Za-z0-9])"
    ),
    Row("1password", "ops_eyJ", _B + r"ops_eyJ[A-Za-z0-9+/=_-]{60,2000}"),
    Row("mapbox", "sk.eyJ", _B + r"sk\.eyJ[A-Za-z0-9_-]{20,400}\.[A-Za-z0-9_-]{20,64}"),
    Row("nuget", "oy2", _B + r"oy2[a-z0-9]{43}(?![A-Za-z0-9])"),
    Row(
        "putty-key",
        "Private-Lines:",
        r"Private-Lines: \d{1,3}(?:\\+[rn]|\s){1,4}([A-Za-z0-9+/=\s\\]{20,20000}?)"
        r"(?=(?:\\+[rn]|\s){1,4}Private-MAC|[^A-Za-z0-9+/=\s\\]|\Z)",
    ),
    Row("url-password", "://", r"://[^\s/@:\"'<>\\\[]{0,128}:([^\s/\"'<>\\]{1,256})@"),
)

ROWS = tuple(Row(kind, needles, source) for needles, (kind, source) in PREFIXED.items()) + OTHER


def rows_in(encoded: str) -> list[Row]:
    """Those of ROWS that can match in a text of the JSON `encoded`: needles are ASCII that JSON leaves as it is."""
    return [row for row in ROWS if any(needle in encoded for needle in row.needles)]


_BEFORE = [bytes((c,)) for c in b" !#$%&'()*+,/:;<=>?@[\\]^`{|}~\"ntrbf0123456789cdemACDEFK"]
_WHOLE = ("github_pat", "api_org")
"""Prefixes whose last part, not the first, is the rare one."""


def endings() -> frozenset[bytes]:
    """The last three bytes before a separator that a prefixed token can show: the gate of redact.py.

    Two-letter prefixes are taken with each byte that can stand before them: a non-letter, or the end of a JSON escape.
    """
    found: set[bytes] = set()
    for needles in PREFIXED:
        for needle in needles.split(" "):
            parts = needle.replace("-", "_").split("_")
            part = (parts[-1] if needle in _WHOLE else parts[0]).encode()
            if len(part) >= 3:
                found.add(part[-3:])
            else:
                found.add(part)
                found.update([before + part for before in _BEFORE])
    return frozenset(found)
