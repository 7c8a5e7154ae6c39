"""The tables of docs/serving.md."""

import statistics

from serving.load import Figures


def markdown(
    facts: dict[str, str], race: dict[str, dict[str, list[Figures]]], soak: dict[str, dict[str, Figures]], seconds: int
) -> str:
    """All tables, with what they depend on."""
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    turns = max(len(rows) for kind in race.values() for rows in kind.values())
    lines += ["", f"Single images, 16 connections, medians of {turns} turns of {seconds} s each:", ""]
    lines += ["| request | server | images/s | p50 ms | p99 ms | ratio |", "|---|---|---:|---:|---:|---:|"]
    for kind, servers in race.items():
        for name, turn in servers.items():
            middle = {key: statistics.median(t[key] for t in turn) for key in ("per_second", "p50_ms", "p99_ms")}
            ratio = _ratio(servers) if name == "glyphnet" else ""
            lines.append(f"| {kind} | {name} | {middle['per_second']:.0f} | {middle['p50_ms']:.2f} | {middle['p99_ms']:.2f} | {ratio} |")
    lines += ["", "| load | connections | s | answered/s | p50 ms | p99 ms | 503 | other errors | memory: start, end, most MB |"]
    lines += ["|---|---:|---:|---:|---:|---:|---:|---:|---|"]
    for name, f in soak.items():
        wrong = f["other_status"] + f["socket_errors"] + f["timeouts"]
        memory = f"{f['memory_start']:.1f}, {f['memory_end']:.1f}, {f['memory_most']:.1f}"
        lines.append(
            f"| {name} | {f['connections']:.0f} | {f['seconds']:.0f} | {f['per_second']:.0f} | {f['p50_ms']:.2f} | {f['p99_ms']:.2f} "
            f"| {f['refused']:.0f} | {wrong:.0f} | {memory} |"
        )
    return "\n".join(lines)


def _ratio(servers: dict[str, list[Figures]]) -> str:
    ours, theirs = (statistics.median(turn["per_second"] for turn in servers[name]) for name in ("glyphnet", "FastAPI"))
    return f"{ours / theirs:.1f}"
