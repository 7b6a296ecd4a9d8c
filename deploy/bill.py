"""What a month of a site costs: lines with their arithmetic."""

from collections.abc import Iterator
from dataclasses import dataclass

from .prices import DATABASES, TIERS, USD

HOURS = 730
SECONDS = HOURS * 3600
MILLION = 1_000_000
DOORS = ("http-api", "rest-api", "function-url")
# Bytes of log that a request makes: its own line, and Lambda's about it.
LOG = 2_000
# CloudWatch keeps logs compressed, at about this share of their size.
COMPRESSED = 0.15
# Metrics in each line of the access log, for the function and for each route.
METRICS = 7
# Alarms of deploy/resources/alarms.yml; one with two metrics counts twice.
ALARMS = 10
# X-Ray takes one request a second, and this share of the others.
TRACED = 0.05
# Interface endpoints of deploy/resources/network.yml, in each of two zones.
ENDPOINTS = 2 * 2


@dataclass(frozen=True)
class Month:
    """A month of a site; ``kb`` is the size of a response, ``memory`` is in MB."""

    requests: float
    ms: float = 80
    memory: float = 1024
    door: str = "http-api"
    kb: float = 20
    routes: float = 20
    tasks: float = 0
    task_ms: float = 500
    files_gb: float = 0
    tracing: bool = False
    # A key of prices.DATABASES; "" for one that is paid for elsewhere.
    database: str = ""
    database_gb: float = 0
    zones: int = 1
    proxy: bool = False
    # "none", "endpoints" or "nat".
    network: str = "none"
    retention_months: float = 1


@dataclass(frozen=True)
class Line:
    """A line of the bill, and the service that it is for."""

    service: str
    what: str
    arithmetic: str
    usd: float


def times(service: str, what: str, amount: float, unit: str, price: str) -> Line:
    """Return a line that is an amount times a price."""
    usd = USD[price]
    return Line(service, what, f"{amount:,.6g} {unit} x {usd:g}", amount * usd)


def tiered(service: str, what: str, amount: float, unit: str, tiers: str) -> Line:
    """Return a line whose price falls with the amount."""
    parts, usd, done = [], 0.0, 0.0
    for limit, price in TIERS[tiers]:
        part = min(amount, limit) - done
        if part > 0:
            parts.append(f"{part:,.6g} {unit} x {price:g}")
            usd, done = usd + part * price, done + part
    return Line(service, what, " + ".join(parts) or f"0 {unit}", usd)


def bill(month: Month) -> Iterator[Line]:
    """Yield what is paid for."""
    millions = month.requests / MILLION
    tasks = month.tasks / MILLION
    gb_seconds = month.requests * month.ms / 1000 * month.memory / 1024
    gb_seconds += month.tasks * month.task_ms / 1000
    yield times("Lambda", "calls", millions + tasks, "M", "lambda request")
    yield tiered("Lambda", "time, arm64", gb_seconds, "GB-s", "lambda")
    if month.door != "function-url":
        yield tiered("API Gateway", month.door, millions, "M", month.door)
    sent = month.requests * month.kb / 1024**2
    yield tiered("Transfer", "to the internet", sent, "GB", "transfer")
    logs = (month.requests + month.tasks) * LOG / 1024**3
    yield tiered("CloudWatch", "logs, written", logs, "GB", "logs")
    kept = logs * COMPRESSED * month.retention_months
    yield times("CloudWatch", "logs, kept", kept, "GB", "log storage")
    metrics = METRICS * (1 + month.routes)
    yield tiered(
        "CloudWatch", "metrics, 7 x (1 + routes)", metrics, "metrics", "metrics"
    )
    yield times("CloudWatch", "alarms", ALARMS, "metrics", "alarm")
    yield times("CloudWatch", "dashboard", 1, "dashboard", "dashboard")
    yield times("SQS", "send, receive, delete", 3 * tasks, "M", "sqs")
    yield times("S3", "files", month.files_gb, "GB", "s3")
    if month.tracing:
        yield times("X-Ray", "5 % traced", millions * TRACED, "M", "xray")
    if month.database:
        price, vcpu = DATABASES[month.database]
        zones = f" x {month.zones} zones" if month.zones > 1 else ""
        yield Line(
            "RDS",
            month.database,
            f"{HOURS} h x {price:g}{zones}",
            HOURS * price * month.zones,
        )
        stored = month.database_gb * month.zones
        yield times("RDS", "storage", stored, "GB", "database storage")
        if month.proxy:
            hours = HOURS * max(2, vcpu)
            yield times("RDS Proxy", "the database's vCPUs", hours, "vCPU-h", "proxy")
    if month.network == "endpoints":
        yield times(
            "VPC", "endpoints for SSM and SQS", HOURS * ENDPOINTS, "h", "endpoint"
        )
    if month.network == "nat":
        yield times("VPC", "NAT gateways in two zones", HOURS * 2, "h", "nat")
