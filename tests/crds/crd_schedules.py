"""What turns a good schedule bad: (path, value, words of the refusal)."""

from typing import Any

BAD_SCHEDULES: list[tuple[str, Any, str]] = [
    ("schedule", None, "spec.schedule: Required value"),
    ("schedule", "", "spec.schedule in body should be at least 1 chars long"),
    ("schedule", "* * * *", "spec.schedule is five fields ('0 2 * * *'), cron(0 2 * * ? *), rate(5 minutes) or at("),
    ("schedule", "every day", "spec.schedule is five fields"),
    ("schedule", "rate(0 minutes)", "a rate is a number above 0 and minutes, hours or days; write for example rate(5"),
    ("schedule", "rate(5 weeks)", "a rate is a number above 0 and minutes, hours or days"),
    ("schedule", "rate(5)", "a rate is a number above 0 and minutes, hours or days"),
    ("schedule", "cron(0 2 * * * *)", "a ? in just one of day-of-month and day-of-week"),
    ("schedule", "cron(0 2 ? * ? *)", "a ? in just one of day-of-month and day-of-week"),
    ("schedule", "cron(0 2 * * ?)", "cron(...) has six fields"),
    ("timeZone", "", "spec.timeZone in body should be at least 1 chars long"),
    ("start", "tomorrow", "spec.start in body must be of type date-time"),
    ("end", "2026-01-01T00:00:00Z", "spec.end is not after spec.start; move one of them"),
    ("flexibleWindowMinutes", 1441, "spec.flexibleWindowMinutes in body should be less than or equal to 1440"),
    ("flexibleWindowMinutes", -1, "spec.flexibleWindowMinutes in body should be greater than or equal to 0"),
    ("concurrencyPolicy", "Never", 'spec.concurrencyPolicy: Unsupported value: "Never"'),
    ("startingDeadlineSeconds", 9, "spec.startingDeadlineSeconds in body should be greater than or equal to 10"),
    ("successfulJobsHistoryLimit", -1, "spec.successfulJobsHistoryLimit in body should be greater than or equal to 0"),
    ("failedJobsHistoryLimit", 1001, "spec.failedJobsHistoryLimit in body should be less than or equal to 1000"),
    ("jobTemplate", None, "spec.jobTemplate: Required value"),
    ("jobTemplate.spec", {"queue": "default"}, "spec needs exactly one of definition and template"),
    ("jobTemplate.spec.queue", "Not_A_Name", "a name is a DNS label of at most 50 characters"),
    ("jobTemplate.spec.stop", {"mode": "Cancel"}, "spec.jobTemplate.spec.stop would end every Job before it starts"),
    ("jobTemplate.metadata", {"labels": {"a b": "c"}}, "a label's key is [prefix/]name of letters"),
    ("jobTemplate.metadata", {"name": "a"}, 'unknown field "spec.jobTemplate.metadata.name"'),
]
