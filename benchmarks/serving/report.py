"""The tables of docs/serving.md."""

import statistics

from serving.load import Figures


Race = dict[str, dict[str, list[Figures]]]


def markdown(facts: dict[str, str], races: dict[str, Race], soaks: dict[str, dict[str, Figures]], seconds: int) -> str:
    """All tables, with what they depend on; races and soaks by network."""
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    turns = max(len(rows) for race in races.values() for kind in race.values() for rows in kind.values())
    lines += ["", f"Single images, 16 connections, medians of {turns} turns of {seconds} s each:", ""]
    lines += ["| network | request | server | images/s | p50 ms | p99 ms | ratio |", "|---|---|---|---:|---:|---:|---:|"]
    lines += [line for network, race in races.items() for line in _race(network, race)]
    lines += ["", "| network | load | connections | s | answered/s | p50 ms | p99 ms | 503 | other errors | memory: start, end, most MB |"]
    lines += ["|---|---|---:|---:|---:|---:|---:|---:|---:|---|"]
    lines += [_soak(network, name, figures) for network, soak in soaks.items() for name, figures in soak.items()]
    return "\n".join(lines)


def _race(network: str, race: Race) -> list[str]:
    lines = []
    for kind, servers in race.items():
        for name, turn in servers.items():
            middle = {key: statistics.median(t[key] for t in turn) for key in ("per_second", "p50_ms", "p99_ms")}
            ratio = _ratio(servers) if name == "glyphnet" else ""
            figures = f"{middle['per_second']:.0f} | {middle['p50_ms']:.2f} | {middle['p99_ms']:.2f} | {ratio}"
            lines.append(f"| {network} | {kind} | {name} | {figures} |")
    return lines


def _soak(network: str, name: str, f: Figures) -> str:
    wrong = f["other_status"] + f["socket_errors"] + f["timeouts"]
    memory = f"{f['memory_start']:.1f}, {f['memory_end']:.1f}, {f['memory_most']:.1f}"
    times = f"{f['seconds']:.0f} | {f['per_second']:.0f} | {f['p50_ms']:.2f} | {f['p99_ms']:.2f}"
    return f"| {network} | {name} | {f['connections']:.0f} | {times} | {f['refused']:.0f} | {wrong:.0f} | {memory} |"


def _ratio(servers: dict[str, list[Figures]]) -> str:
    ours, theirs = (statistics.median(turn["per_second"] for turn in servers[name]) for name in ("glyphnet", "FastAPI"))
    return f"{ours / theirs:.1f}"
