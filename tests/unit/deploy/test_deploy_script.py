"""deploy/deploy.sh, as far as it goes without containers: real bash, and functions that answer in the place of Docker."""

from pathlib import Path

import pytest

from tests.support.deployment.deploy_script import ROLLOUT, SCRIPT, run, steps

_TWO_PROCESSORS = """
compose() {
  case "$1 $2" in
    "ps --all") echo old-1; echo old-2 ;;
    "config processor") echo '    scale: 2' ;;
    "up --detach") $up ;;
  esac
}
docker() { [ "$1" != inspect ] || echo 'running healthy 0'; [ "$1" != stop ] || echo "stopped $2" >&2; }
"""


@pytest.mark.parametrize("command", ["deploy", "rollback", "smoke"])
def test_says_that_docker_is_missing(command: str, path: str) -> None:
    """Without docker it names what is needed."""
    done = run(path, str(SCRIPT), command)
    assert done.returncode == 1
    assert "docker compose is needed" in done.stderr


def test_help_needs_nothing(path: str) -> None:
    """What there is can be asked without Docker, too."""
    done = run(path, str(SCRIPT), "--help")
    assert done.returncode == 0
    assert "deploy/deploy.sh rollback" in done.stdout
    assert "shellcheck" not in done.stdout


@pytest.mark.parametrize(
    "words", [(), ("deploi",), ("deploy", "--image"), ("deploy", "bot:7"), ("rollback", "--image", "bot:7"), ("smoke", "hard")]
)
def test_wrong_command_line_is_told_apart(words: tuple[str, ...], path: str) -> None:
    """It ends with 2 before it looks at anything, and shows what there is."""
    done = run(path, str(SCRIPT), *words)
    assert done.returncode == 2
    assert "deploy/deploy.sh deploy --image NAME" in done.stderr


@pytest.mark.parametrize("up", ["false", "true"])
def test_no_processor_goes_before_others_are_there(up: str, path: str) -> None:
    """Whether Docker says that it could make none or says nothing: the ones that serve stay."""
    done = steps(path, f"up={up}; {_TWO_PROCESSORS} replace_processors old-1 old-2")
    assert done.returncode == 1
    assert "stopped" not in done.stderr
    assert "processors" in done.stderr


def test_processors_go_when_others_are_healthy(path: str) -> None:
    """Those that are meant end, and no other."""
    both = _TWO_PROCESSORS.replace("echo old-2", "echo old-2; echo new-1; echo new-2")
    done = steps(path, f"up=true; {both} replace_processors old-1 old-2")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["stopped old-1", "stopped old-2"]


@pytest.mark.parametrize(
    ("direction", "order"), [("forward", ["ledger", "processors", "ingress"]), ("back", ["ingress", "processors"])]
)
def test_order_is_the_one_of_upgrading(direction: str, order: list[str], path: str) -> None:
    """What is new is understood before it is written, and written no more before it is not understood."""
    named = "migrate() { echo ledger; }; replace_all_processors() { echo processors; }; replace_ingresses() { echo ingress; }"
    done = steps(path, f"{named}; {direction}")
    assert done.stdout.split() == order


@pytest.mark.parametrize(("before", "code"), [("", 1), ("DiskLow", 1), ("BreakerOpen", 0), ("BreakerOpen\nDiskLow", 0)])
def test_alerts_from_before_do_not_count(before: str, code: int, path: str) -> None:
    """A deployment may be what ends an incident; only a critical alert that was not firing before is held against it."""
    done = steps(path, f"critical_alerts() {{ echo BreakerOpen; }}; look_at_alerts '{before}'")
    assert done.returncode == code
    assert "BreakerOpen" in done.stdout + done.stderr


@pytest.mark.parametrize(("direction", "code"), [("forward", 1), ("back", 0)])
def test_ledger_may_wait_on_the_way_back(direction: str, code: int, path: str) -> None:
    """An older version leaves newer tables alone, so what is not in them does not take a rollback back."""
    well = "() { :; }; ".join(("send_webhooks", "look_at_metrics", "look_at_alerts", "compose", ""))
    answers = f"{well} eventually() {{ return 1; }}"
    done = steps(path, f"{answers}; smoke {direction}")
    assert done.returncode == code
    assert "not all of them are in the ledger" in done.stderr


def test_what_served_comes_back_whatever_happens_meanwhile(path: str, tmp_path: Path) -> None:
    """A closed terminal takes no more words and sends a signal, a second Ctrl-C another. All is put back first."""
    witness = tmp_path / "back"
    put_back = f"put_back() {{ complain going back; kill -INT $$; kill -HUP $$; kill -TERM $$; echo done >{witness}; }}"
    with Path("/dev/full").open("w") as full:
        done = steps(
            path,
            f"{put_back}; say_what_serves() {{ complain as before; }}; undo=yes; old_image=sha256:1; trap leave EXIT; exit 7",
            complaints=full.fileno(),
        )
    assert done.returncode == 7
    assert witness.read_text() == "done\n"


@pytest.mark.parametrize(
    ("missing", "tried", "smoke", "said"),
    [
        ("", "smoke", "true", "serves as before"),
        ("", "smoke", "false", "but the smoke test fails"),
        ("", "no-smoke", "true", "Whether they work was not tried"),
        ("ingress-1", "smoke", "true", "and so did going back"),
        ("processor", "smoke", "true", "processor is not as before"),
    ],
)
def test_says_what_really_serves(missing: str, tried: str, smoke: str, said: str, path: str) -> None:
    """That all is as before is said only if it is, and that it serves only if a smoke test has seen it."""
    answers = f"not_serving() {{ echo {missing}; }}; version_of() {{ echo 1.2; }}; smoke() {{ {smoke}; }}"
    done = steps(path, f"{answers}; tried={tried}; old_image=sha256:1; say_what_serves")
    assert said in done.stderr
    assert ("serves as before" in done.stderr) is (said == "serves as before")
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("settings", "stores", "done"),
    [
        ("false", "true", ["secrets change", "secrets restore"]),
        (
            "true",
            "false",
            ["secrets change", "stores", "secrets restore", "stores-back", "ingress-back", "processors-back"],
        ),
    ],
)
def test_failure_gives_the_secrets_back_first(settings: str, stores: str, done: list[str], path: str) -> None:
    """Whatever starts from then on reads what served. If nothing else was touched, nothing else is put back."""
    found = steps(path, f"settings={settings}; stores={stores}; {ROLLOUT} in_service forward smoke")
    assert found.returncode == 1
    assert [line for line in found.stdout.splitlines() if not line.startswith("==>")] == done


def test_success_settles_the_secrets(path: str) -> None:
    """The passwords from before count until all containers have the new ones, and no longer."""
    answers = "tell_redis() { echo told; }; remember_settings() { :; }; version_of() { :; }; image_id() { echo sha256:1; }"
    found = steps(path, f"settings=true; stores=true; {ROLLOUT} {answers}; in_service forward smoke")
    assert found.returncode == 0, found.stderr
    said = [line for line in found.stdout.splitlines() if not line.startswith("==>")]
    assert said == ["secrets change", "stores", "forward", "secrets settle", "told"]


def test_stores_stay_when_what_secrets_mounts_changes(path: str) -> None:
    """Compose replaces all that depend on a container that it replaces, so there is none to replace."""
    well = "() { :; }; ".join(("say", "tell_redis", "tell_postgres", "await_service", ""))
    done = steps(path, f'{well} remove_ended() {{ echo "gone $1"; }}; compose() {{ echo "$1 $2"; }}; start_stores')
    assert done.stdout.splitlines()[:2] == ["gone secrets", "up --detach"]


@pytest.mark.parametrize(
    ("ping", "restarted"), [("PONG", False), ("LOADING Redis is loading", False), ("OK OK AUTH failed: WRONGPASS", True)]
)
def test_redis_starts_again_only_if_it_knows_no_password(ping: str, path: str, *, restarted: bool) -> None:
    """It reads its list of users as it runs. One that is loading its data has read it."""
    compose = f'compose() {{ case "$1" in exec) echo "{ping}" ;; *) echo "compose $*" ;; esac; }}'
    done = steps(path, f"{compose}; tell_redis")
    assert ("compose restart redis" in done.stdout) is restarted


@pytest.mark.parametrize("there", [True, False])
def test_second_up_builds_nothing(path: str, *, there: bool) -> None:
    """The image that was deployed stays the one in service, and no container is replaced."""
    answers = f"""
      image_id() {{ {"echo sha256:1" if there else "false"}; }}
      present_door() {{ echo 127.0.0.1:8080; }}
      compose() {{ echo "compose $*"; }}
      build() {{ echo built; }}
      docker() {{ echo "docker $*"; }}
    """
    done = steps(path, f"{answers} secrets_to() {{ :; }}; remember_settings() {{ :; }}; bring_up")
    assert done.returncode == 0, done.stderr
    assert ("built" in done.stdout) is not there
    assert ("docker tag" in done.stdout) is not there
    assert "compose up --detach --no-build --no-recreate" in done.stdout


def test_up_says_what_containers_cannot_read(path: str) -> None:
    """Compose would only say that a service has failed; what it has said is in its log."""
    answers = "image_id() { echo sha256:1; }; present_door() { echo 127.0.0.1:8080; }; compose() { echo up; }"
    done = steps(path, f"{answers}; secrets_to() {{ echo chmod -R >&2; return 1; }}; bring_up")
    assert done.returncode == 1
    assert "chmod -R" in done.stderr
    assert "up" not in done.stdout.split()
