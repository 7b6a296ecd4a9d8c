"""The arithmetic of capacity and cost, by hand."""

import pytest

from deploy import capacity, costs
from deploy.bill import ALARMS, ENDPOINTS, METRICS, Month, bill
from deploy.load import CONCURRENCY, Load, connections, spread
from deploy.prices import DATABASES
from deploy.tables import table
from tests.deploy import template
from tests.deploy.template import EVERYTHING


def test_as_many_are_at_work_as_arrive_while_one_is_served():
    assert Load(rps=500, ms=80).busy == 40


def test_three_standard_deviations_are_added_for_those_that_come_together():
    # 100 + 3 x 10
    assert spread(100) == 130
    # 40 + 3 x 6.32
    assert Load(rps=500, ms=80).reserved == 59
    assert spread(0) == 1


def test_an_environment_is_given_ten_requests_a_second_at_most():
    # 1,000 x 0.01 = 10, and 3 x 3.16 more; but Lambda wants 1,000 / 10.
    assert Load(rps=1000, ms=10).reserved == 100


def test_where_no_environment_is_warm_each_request_of_an_init_phase_gets_its_own():
    load = Load(rps=200, ms=80, init_ms=1000)

    # 200 x 1.08
    assert load.cold == 216
    assert load.cold_seconds == 0
    # 1,000 at once and 100 a second from then on: (2,160 - 1,000) / 100.
    assert Load(rps=2000, ms=80, init_ms=1000).cold_seconds == pytest.approx(11.6)


def test_each_environment_may_hold_a_connection_and_a_command_holds_two():
    load = Load(rps=500, ms=80, tasks_per_second=4, task_ms=1000)

    # 4 + 3 x 2
    assert load.consumers == 10
    assert load.direct == 59 + 10 + 4


def test_a_proxy_needs_connections_for_the_transactions_at_work():
    load = Load(rps=500, database_ms=20, tasks_per_second=4, task_ms=1000)

    # 500 x 0.02 = 10, and 3 x 3.16 more.
    assert load.proxied == 20 + 10 + 4


def test_a_fifth_of_the_connections_is_left_for_others():
    assert connections(80) == 100
    assert connections(81) == 102


def test_aws_wants_two_consumers_at_least():
    assert Load(rps=1, tasks_per_second=0.01, task_ms=100).consumers == 2


def test_quotas_that_suffice_are_not_named():
    assert Load(rps=30).to_raise == []


def test_quotas_that_do_not_suffice_are_named_with_what_is_needed():
    load = Load(rps=20_000, ms=80, init_ms=1000, tasks_per_second=1, task_ms=500)

    assert load.to_raise == [
        # 20,000 x 1.08, the consumers, and 100 that stay unreserved.
        "Lambda concurrency 21,703",
        "API Gateway requests 20,000",
        # No more environments than this start in a second.
        "SSM throughput 1,000",
    ]
    assert "API Gateway" not in str(Load(rps=20_000, door="function-url").to_raise)
    assert CONCURRENCY < 21_703


def lines(month: Month) -> dict[tuple[str, str], float]:
    return {(line.service, line.what): line.usd for line in bill(month)}


def test_a_bill_is_the_sum_of_amounts_times_prices():
    spent = lines(Month(requests=10_000_000, ms=100, memory=1024, kb=20, routes=10))

    assert spent["Lambda", "calls"] == pytest.approx(2.00)
    # 10 M x 0.1 s x 1 GB
    assert spent["Lambda", "time, arm64"] == pytest.approx(13.3334)
    assert spent["API Gateway", "http-api"] == pytest.approx(10.00)
    # 10 M x 20 / 1024 / 1024 GB x 0.09
    assert spent["Transfer", "to the internet"] == pytest.approx(17.166, abs=0.001)
    # 7 x 11 x 0.30
    assert spent["CloudWatch", "metrics, 7 x (1 + routes)"] == pytest.approx(23.10)


def test_prices_fall_with_the_amount():
    spent = lines(Month(requests=400_000_000, door="http-api"))

    assert spent["API Gateway", "http-api"] == pytest.approx(300 * 1 + 100 * 0.90)
    spent = lines(Month(requests=400_000_000, door="rest-api"))
    assert spent["API Gateway", "rest-api"] == pytest.approx(333 * 3.5 + 67 * 2.8)


def test_a_function_url_and_what_is_switched_off_cost_nothing():
    services = {line.service for line in bill(Month(requests=1, door="function-url"))}

    assert services == {"Lambda", "Transfer", "CloudWatch", "SQS", "S3"}


def test_a_database_is_paid_by_the_hour_in_each_zone_and_its_proxy_by_the_vcpu():
    spent = lines(
        Month(requests=1, database="db.t4g.micro", database_gb=20, zones=2, proxy=True)
    )

    assert DATABASES["db.t4g.micro"] == (0.016, 2)
    assert spent["RDS", "db.t4g.micro"] == pytest.approx(730 * 0.016 * 2)
    assert spent["RDS", "storage"] == pytest.approx(20 * 2 * 0.115)
    assert spent["RDS Proxy", "the database's vCPUs"] == pytest.approx(730 * 2 * 0.015)


def test_the_bill_counts_the_alarms_and_endpoints_that_are_deployed():
    made = template.everything()
    alarms = made.of_type("CloudWatch::Alarm").values()
    metrics = sum(
        sum("MetricStat" in metric for metric in alarm["Properties"]["Metrics"])
        if "Metrics" in alarm["Properties"]
        else 1
        for alarm in alarms
    )
    without_secret = {k: v for k, v in EVERYTHING.items() if not k.startswith("secret")}
    private = template.package("prod", tuple(without_secret.items()))
    endpoints = [
        endpoint
        for endpoint in private.of_type("EC2::VPCEndpoint").values()
        if endpoint["Properties"]["VpcEndpointType"] == "Interface"
    ]

    assert metrics == ALARMS
    assert len(endpoints) * 2 == ENDPOINTS


def test_the_bill_counts_the_metrics_of_a_request(caplog, client):
    from apps.aws_lambda.invocation import Invocation, activate
    from apps.aws_lambda.test import LambdaContext

    caplog.set_level("INFO")
    with activate(Invocation({}, LambdaContext(), 1)):
        client.get("/health/live")
    [record] = [r for r in caplog.records if r.name.endswith(".access")]

    assert len(record.metrics) == METRICS


def test_the_capacity_of_any_load_is_printed(capsys):
    assert capacity.main(["--rps", "500", "--ms", "120", "--door", "rest-api"]) == 0

    printed = capsys.readouterr().out.splitlines()
    # 60 + 3 x 7.75
    assert printed[2].startswith("| 500 | 60.0 | 84 | 560 |")


def test_a_bill_of_any_size_is_printed_line_by_line(capsys):
    assert costs.main(["small", "--routes", "1", "--door", "function-url"]) == 0

    printed = capsys.readouterr().out
    assert "API Gateway" not in printed
    assert "| CloudWatch | metrics, 7 x (1 + routes) | 14 metrics x 0.3 | 4.20 |" in (
        printed
    )


def test_the_sizes_are_compared_by_service(capsys):
    assert costs.main([]) == 0

    header, _, *rows = capsys.readouterr().out.splitlines()
    assert header == "| USD a month | small | medium | large |"
    totals = [float(x.replace(",", "")) for x in rows[-1].split("|")[2:-1]]
    sums = [
        sum(float(row.split("|")[i].replace(",", "")) for row in rows[:-1])
        for i in (2, 3, 4)
    ]
    assert totals == pytest.approx(sums, abs=0.05)


@pytest.mark.parametrize("program", [capacity, costs])
@pytest.mark.parametrize("number", ["0", "-5", "fast", "inf", "nan"])
def test_what_is_no_amount_is_refused_by_name(program, number, capsys):
    with pytest.raises(SystemExit) as stopped:
        program.main([f"--ms={number}"])

    assert stopped.value.code == 2
    assert f"--ms: {number} is no number above 0" in capsys.readouterr().err


def test_a_door_that_does_not_exist_is_refused(capsys):
    with pytest.raises(SystemExit):
        capacity.main(["--door", "alb"])

    assert "function-url" in capsys.readouterr().err


def test_a_table_is_markdown():
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
