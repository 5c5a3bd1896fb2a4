"""The jobs of the lifecycle tests: all submitted at the beginning, each looked at by its own test."""

from __future__ import annotations

from cluster.lab import Lab
from cluster.specs_of_jobs import managed, played, shape, shell, simulated, template

_CHECK_VARIABLES = 'env | grep "^AWS_BATCH" | sort; exit 7'
_STUBBORN = "trap 'echo told to stop' TERM; echo started; while true; do sleep 1; done"
_SECOND_TIME = '[ "$AWS_BATCH_JOB_ATTEMPT" = 2 ]'


def tell(lab: Lab) -> None:
    """Make the environments and queues, then submit everything."""
    lab.environment("main", managed("docker", [shape(2)], 4, scaleDownDelaySeconds=5))
    lab.environment("spot", managed("docker", [shape(1)], 3, capacityType="Spot", scaleDownDelaySeconds=2))
    lab.environment("cold", managed("docker", [shape(1)], 1))
    lab.environment("narrow", managed("simulated", [shape(1)], 1, scaleDownDelaySeconds=1))
    lab.environment("warm", managed("simulated", [shape(2)], 4, minVCpus=2, scaleDownDelaySeconds=0))
    lab.environment("revised", managed("simulated", [shape(1)], 1))
    lab.environment("plain", managed("simulated", [shape(4)], 16, scaleDownDelaySeconds=20))
    lab.environment("single", managed("simulated", [shape(1)], 1))
    for name in ("main", "spot", "cold", "narrow", "warm", "revised", "plain", "single"):
        lab.queue(name, name)
    lab.queue("urgent", "narrow", priority=9)
    _programs(lab)
    _ends(lab)
    _stops(lab)
    _definitions(lab)
    _errors(lab)
    lab.job("foreseen-first", "single", template=simulated(900_000), timeout={"attemptDurationSeconds": 600})
    lab.phase("foreseen-first", "Runnable", "Starting", "Running")
    lab.job("foreseen", "single", template=simulated())


def _programs(lab: Lab) -> None:
    lab.job("hello", "main", template=shell("echo hello; sleep 2"))
    for number in range(4):
        lab.job(f"packed-{number}", "main", template=shell("sleep 3"))
    lab.job("variables", "main", template=shell(_CHECK_VARIABLES))
    lab.job("timeout", "main", template=shell(_STUBBORN), timeout={"attemptDurationSeconds": 60}, retry={"attempts": 3})


def _ends(lab: Lab) -> None:
    rules = [{"action": "Retry", "onExitCode": "3"}, {"action": "Exit", "onExitCode": "2"}]
    script = '[ "$AWS_BATCH_JOB_ATTEMPT" = 1 ] && exit 3; echo no use; exit 2'
    lab.job("rules", "main", template=shell(script), retry={"attempts": 5, "evaluateOnExit": rules})
    backoff = {"initialSeconds": 4, "maxSeconds": 10}
    lab.job("backoff", "main", template=shell(_SECOND_TIME), retry={"attempts": 3, "backoff": backoff})
    lab.job("used-up", "main", template=shell("echo attempt $AWS_BATCH_JOB_ATTEMPT; exit 4"), retry={"attempts": 2})
    greedy = template("dd", "if=/dev/zero", "of=/dev/null", "bs=60M", "count=1", memory="32Mi")
    memory = {"memoryFactor": "4", "maxMemory": "256Mi"}
    lab.job("memory", "main", template=greedy, retry={"attempts": 2, "onOutOfMemory": memory})
    lab.job("brief", "main", template=template("true"), ttlSecondsAfterFinished=1)


def _stops(lab: Lab) -> None:
    lab.job("terminate", "main", template=shell("trap 'echo bye; exit 0' TERM; while true; do sleep 0.2; done"))
    lab.job("cancel-early", "cold", definition={"name": "not-there-yet"})


def _definitions(lab: Lab) -> None:
    parameters = {
        "word": {"type": "String", "default": "first"},
        "count": {"type": "Integer", "required": True},
        "loud": {"type": "Boolean", "default": False},
    }
    script = 'echo "Ref::word Ref::count Ref::loud $MORE"; exit 9'
    lab.definition("typed", parameters=parameters, template=shell(script), priority=3)
    reference = {"definition": {"name": "typed"}}
    lab.job("typed", "main", **reference, parameters={"count": 3, "loud": True})
    entry = {"name": "main", "env": [{"name": "MORE", "value": "more"}], "resources": {"requests": {"cpu": "50m"}}}
    lab.job("overridden", "main", **reference, parameters={"count": "4"}, overrides={"containers": [entry]})
    # The first job holds the only node while the definition changes under the second.
    lab.job("revised-first", "revised", template=simulated(8_000))
    lab.definition("revised", template=played("one"))
    lab.job("revised-old", "revised", definition={"name": "revised"})


def _errors(lab: Lab) -> None:
    """Mistakes that only a kubelet finds; one that may be a registry's hiccup is waited for, for a minute."""
    image = "batchyard.dev/no-such-image:1"
    lab.job("image-never", "main", template=template("true", image=image, container={"imagePullPolicy": "Never"}))
    lab.job("image-missing", "main", template=template("true", image=image))
    lab.job("no-command", "main", template=template("/no/such/command"), retry={"attempts": 2})
