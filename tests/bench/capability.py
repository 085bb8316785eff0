# SPDX-License-Identifier: Apache-2.0
"""Whether the time of an answer tells how much of a capability's name was guessed right.

    capability.py PROGRAM

Names that share all but the end with a capability, and names that share nothing with it, are asked
for in random order, on one connection. Both are unknown, and of one length. Prints for
each run the medians, Welch's t of the times and z of their ranks; ends with 1 when the two kinds
are told apart in every run, by either.

First a difference is looked for that is there, that of a header of 500 bytes: a machine so busy
that it is not seen would see no leak either, and the bench ends with 2.
"""

import gc
import math
import random
import statistics
import sys
import time

from gateway import Connection, Gateway, Upstream, request

RUNS = 3
REQUESTS = 20_000  # of each kind in a run
NAMES = 16  # of each kind
KEPT = 0.9  # of the times, for t: what is longer was interrupted
TOLD_APART = 4.5  # |t| or |z|, as is usual for leaks of time (TVLA)
CAPABILITY = "0ebb01be-0a22-4639-898c-bc8c2d20942d/nginx"


def names(random_source: random.Random) -> dict:
    """Names of the capability's length that are not it. Those of either kind are as much alike: a
    processor guesses better what it has just seen, and that is not what is looked for."""

    def wrong(text: str) -> str:
        return "".join(random_source.choice([digit for digit in "0123456789abcdef" if digit != c])
                       if c in "0123456789abcdef" else c for c in text)

    head, tail = CAPABILITY.split("/")
    ends = set()
    while len(ends) < NAMES:
        ends.add(wrong(head[-2:]))
    stem = head[:-2]
    foreign = wrong(stem)
    return {"with all but the end right": [f"{stem}{end}/{tail}" for end in sorted(ends)],
            "with nothing right": [f"{foreign}{end}/{tail}" for end in sorted(ends)]}


def collect(connection: Connection, requests: dict, random_source: random.Random) -> dict:
    """Nanoseconds of each answer, by kind."""
    order = [kind for kind in requests for _ in range(REQUESTS)]
    random_source.shuffle(order)
    asked = [(kind, random_source.choice(requests[kind])) for kind in order]
    times = {kind: [] for kind in requests}
    gc.disable()
    for kind, data in asked:
        began = time.perf_counter_ns()
        connection.exchange(data)
        times[kind].append(time.perf_counter_ns() - began)
    gc.enable()
    return times


def trimmed(times: dict) -> dict:
    """Without what is longer than nearly all of both kinds."""
    both = sorted(one for kind in times.values() for one in kind)
    longest = both[int(KEPT * len(both))]
    return {kind: [one for one in values if one <= longest] for kind, values in times.items()}


def welch(a: list, b: list) -> tuple:
    """t, and the standard error of the difference."""
    error = math.sqrt(statistics.variance(a) / len(a) + statistics.variance(b) / len(b))
    return (statistics.fmean(a) - statistics.fmean(b)) / error, error


def mann_whitney(a: list, b: list) -> float:
    """z of the ranks; those of equal times are their mean."""
    both = sorted([(one, True) for one in a] + [(one, False) for one in b])
    rank_sum, at = 0.0, 0
    while at < len(both):
        end = at
        while end < len(both) and both[end][0] == both[at][0]:
            end += 1
        rank_sum += (at + 1 + end) / 2 * sum(is_a for _, is_a in both[at:end])
        at = end
    n, m = len(a), len(b)
    return (rank_sum - n * (n + 1) / 2 - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)


def is_told_apart(what: str, connection: Connection, requests: dict,
                  random_source: random.Random) -> bool:
    """Prints a line."""
    times = collect(connection, requests, random_source)
    (a_name, a), (b_name, b) = trimmed(times).items()
    t, error = welch(a, b)
    z = mann_whitney(*times.values())
    is_apart = max(abs(t), abs(z)) > TOLD_APART
    medians = [statistics.median(values) / 1000 for values in times.values()]
    print(f"{what}: {'told apart' if is_apart else 'not told apart'}: t {t:+.2f}, rank z {z:+.2f}; "
          f"medians {medians[0]:.2f} us {a_name}, {medians[1]:.2f} us {b_name} ({REQUESTS} requests "
          f"each, {KEPT:.0%} of them for t, standard error {error:.0f} ns)", flush=True)
    return is_apart


def main() -> int:
    random_source = random.Random(1)
    with Upstream() as upstream:
        config = {"registries": {"up": {"url": upstream.url}},
                  "routes": [{"match": CAPABILITY, "to": "up/team/app", "capability": True},
                             {"match": "public/", "to": "up/"}]}
        with Gateway(sys.argv[1], config) as gateway:
            connection = Connection(gateway.port)
            connection.expect(request(f"/v2/{CAPABILITY}/manifests/{upstream.digest}"), 200)
            guesses = {kind: [request(f"/v2/{name}/manifests/{upstream.digest}") for name in found]
                       for kind, found in names(random_source).items()}
            plain = guesses["with nothing right"]
            longer = [data[:-2] + b"X-Padding: " + b"1" * 500 + b"\r\n\r\n" for data in plain]
            for data in [*plain, *longer, *guesses["with all but the end right"]] * 20:
                connection.expect(data, 404)
            control = {"with a longer header": longer, "without": plain}
            if not is_told_apart("capability, control", connection, control, random_source):
                print("capability: this machine is too busy to tell", file=sys.stderr)
                return 2
            runs = [is_told_apart("capability", connection, guesses, random_source)
                    for _ in range(RUNS)]
    return 1 if all(runs) else 0


if __name__ == "__main__":
    sys.exit(main())
