"""The tables: ratios first, then what every contender measured."""

from race.races import Settings
from race.runner import Result, Row

_SCALES = {"s": [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")]}


def _figure(value: float, unit: str) -> str:
    """Three digits with a unit that suits: 0.0000123 `s per image` becomes `12.3 µs per image`."""
    base, _, rest = unit.partition(" ")
    for scale, name in _SCALES.get(base, [(1.0, base)]):
        if value >= scale:
            break
    scaled = value / scale
    digits = max(0, 2 - len(str(int(scaled))) + 1) if scaled < 100 else 0
    return f"{scaled:.{digits}f} {name} {rest}".strip()


def _ratio(result: Result, row: Row) -> str:
    ours = result.median(row.ours, row.figure)
    medians = {peer: result.median(peer, row.figure) for peer in row.peers}
    medians = {peer: value for peer, value in medians.items() if value is not None}
    target = f">= {row.target}" if row.target else ""
    if ours is None or not medians:
        return f"| {row.work} | failed | | | {target} |"
    best = min(medians, key=medians.get)
    peer = f"{best}: {_figure(medians[best], row.unit)}"
    return f"| {row.work} | {_figure(ours, row.unit)} | {peer} | **{medians[best] / ours:.2f}** | {target} |"


def _details(result: Result) -> list[str]:
    """One line for each contender and figure that a row of the race uses."""
    figures = {row.figure: row.unit for row in result.race.rows}
    lines = []
    for figure, unit in figures.items():
        for contender in result.race.contenders:
            values = result.values(contender.name, figure)
            if contender.name in result.errors:
                lines.append(f"| {result.race.name} | {contender.name} | failed | | | |")
            elif values:
                median = result.median(contender.name, figure)
                shown = " | ".join(_figure(value, unit) for value in (median, min(values), max(values)))
                lines.append(f"| {result.race.name} | {contender.name} | {shown} | {len(values)} |")
    return lines


def _instruction_set(results: list[Result]) -> str:
    turns = [turn for result in results for turn in result.turns.get("glyphnet", [])]
    return next((turn["simd"] for turn in turns if "simd" in turn), "")


def markdown(facts: dict[str, str], results: list[Result], settings: Settings) -> str:
    """All tables as Markdown."""
    lines = []
    if settings.is_quick:
        lines += ["**Quick: one short turn each. These are no figures to quote.**", ""]
    facts = {**facts, "instruction set": _instruction_set(results)}
    lines += [f"- {name}: {value}" for name, value in facts.items() if value]
    raced = [result for result in results if result.race.rows]
    if raced:
        lines += ["", "| work | glyphnet | best peer | ratio | target |", "|---|---|---|---|---|"]
        lines += [_ratio(result, row) for result in raced for row in result.race.rows]
        lines += ["", "| race | contender | median | least | most | turns |", "|---|---|---|---|---|---|"]
        lines += [line for result in raced for line in _details(result)]
        lines += ["", *(f"- {result.race.name}: {result.race.note}" for result in raced if result.race.note)]
    for result in results:
        for turns in result.turns.values():
            lines += [f"\n{turn['text'].strip()}" for turn in turns if "text" in turn]
    return "\n".join(lines)


def data(facts: dict[str, str], results: list[Result]) -> dict[str, object]:
    """Everything measured, for other programs."""
    races = {result.race.name: {"turns": result.turns, "errors": result.errors} for result in results}
    return {"facts": facts, "races": races}
