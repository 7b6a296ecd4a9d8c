"""The capacity formulas, recalculated by hand."""

import pytest

from apps.aws_lambda.cli import capacity
from apps.aws_lambda.cli.capacity import Load, max_connections, with_peaks


def test_busy_environments_follow_littles_law():
    assert Load(rps=500, ms=80).busy == 40


def test_three_standard_deviations_are_added_to_the_average():
    # 100 + 3 x 10
    assert with_peaks(100) == 130
    # 40 + 3 x 6.32
    assert Load(rps=500, ms=80).concurrency == 59
    assert with_peaks(0) == 1


def test_an_environment_serves_at_most_ten_requests_a_second():
    # 1,000 x 0.01 = 10, and 3 x 3.16 more; but Lambda wants 1,000 / 10.
    assert Load(rps=1000, ms=10).concurrency == 100


def test_without_warm_environments_each_request_starts_one():
    # 200 x 1.08
    assert Load(rps=200, ms=80, init_ms=1000).cold == 216


def test_each_environment_holds_a_connection_and_a_command_two():
    load = Load(rps=500, ms=80, tasks_per_second=4, task_ms=1000)

    # 4 + 3 x 2
    assert load.consumers == 10
    assert load.direct == max_connections(59 + 10 + 4)


def test_a_proxy_holds_connections_for_open_transactions_only():
    load = Load(rps=500, database_ms=20, tasks_per_second=4, task_ms=1000)

    # 500 x 0.02 = 10, and 3 x 3.16 more.
    assert load.proxied == max_connections(20 + 10 + 4)


def test_a_fifth_of_the_connections_stays_free():
    assert max_connections(80) == 100
    assert max_connections(81) == 102


def test_a_queue_has_at_least_two_consumers():
    assert Load(rps=1, tasks_per_second=0.01, task_ms=100).consumers == 2


def test_the_capacity_of_any_load_is_printed(capsys):
    assert capacity.main(["--rps", "500", "--ms", "120"]) == 0

    printed = capsys.readouterr().out.splitlines()
    # 60 + 3 x 7.75
    assert printed[2].startswith("| 500 | 60.0 | 84 | 560 |")


@pytest.mark.parametrize("number", ["0", "-5", "fast", "inf", "nan"])
def test_a_value_that_is_not_above_zero_is_rejected(number, capsys):
    with pytest.raises(SystemExit) as stopped:
        capacity.main([f"--ms={number}"])

    assert stopped.value.code == 2
    assert f"--ms: {number} is not a number above 0" in capsys.readouterr().err
