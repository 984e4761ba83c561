"""How well tasks in six other languages are planned with the embedded model: is it the right tool?

The phrasings are held out: none is an example of a tool. `PLANWARDEN_BENCH_RETRIEVAL=1` looks at retrieval
alone (is the right tool ranked first, is it shown at all), which takes seconds. Exit 1 below `FLOOR`.

python benchmarks/languages.py
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import defaultdict

from planwarden import Planwarden, Task, load_settings
from planwarden.planning.shortlist import Retriever

FLOOR = 0.6
"""Share of tasks whose right tool retrieval has to show."""
TASKS: dict[str, tuple[tuple[str, str], ...]] = {
    "de": (
        ("Was ist GOOG gerade wert?", "finance.snapshot"),
        ("Wie stark hat IBM seit 2005 geschwankt?", "finance.analytics"),
        ("Rechne 17 * 23 aus", "utils.calculator"),
        ("Wie viel Uhr haben wir in Berlin?", "utils.clock"),
        ("Wie hoch war die durchschnittliche temp_max je weather?", "data.aggregate"),
        ("Klingt dieser Text zu unfreundlich: 'Antworten Sie sofort!'", "creative.tonecheck"),
    ),
    "fr": (
        ("Combien vaut AMZN aujourd'hui ?", "finance.snapshot"),
        ("Quel rendement a fait AAPL entre 2004 et 2009 ?", "finance.analytics"),
        ("Calcule 12,5 % de 800", "utils.calculator"),
        ("Il est quelle heure à Paris ?", "utils.clock"),
        ("Moyenne de precipitation pour chaque weather", "data.aggregate"),
        ("Que trouve-t-on dans les documents sur la sécurité ?", "research.search"),
    ),
    "es": (
        ("¿A cuánto cotiza MSFT?", "finance.snapshot"),
        ("¿Qué tan arriesgado fue AMZN?", "finance.analytics"),
        ("¿Cuánto da 45 por 12?", "utils.calculator"),
        ("Dime la hora de Madrid", "utils.clock"),
        ("Promedio de wind por weather", "data.aggregate"),
        ("Abre el archivo notas.txt", "files.read"),
    ),
    "ja": (
        ("IBMの株はいまいくら？", "finance.snapshot"),
        ("AAPLの収益率を教えて", "finance.analytics"),
        ("128×7を計算してください", "utils.calculator"),
        ("ロンドンはいま何時？", "utils.clock"),
        ("この文章の口調はきつすぎますか：「早くして」", "creative.tonecheck"),
    ),
    "zh": (
        ("MSFT现在股价多少？", "finance.snapshot"),
        ("GOOG的波动率有多大？", "finance.analytics"),
        ("算一下 36*48", "utils.calculator"),
        ("纽约现在是几点？", "utils.clock"),
        ("文档里关于安全是怎么说的？", "research.search"),
    ),
    "ru": (
        ("Сколько сейчас стоит акция IBM?", "finance.snapshot"),
        ("Какой была доходность AMZN за 2008 год?", "finance.analytics"),
        ("Вычисли 91 * 14", "utils.calculator"),
        ("Который сейчас час в Москве?", "utils.clock"),
        ("Прочитай файл notes.txt", "files.read"),
    ),
}


async def main() -> int:
    """Run the benchmark; the exit code says whether retrieval reached its floor."""
    os.environ.update({"PLANNER_LLM__PROVIDER": "embedded", "LLM__PROVIDER": "embedded"})
    only_retrieval = os.environ.get("PLANWARDEN_BENCH_RETRIEVAL") == "1"
    counts: dict[str, list[tuple[bool, bool, bool]]] = defaultdict(list)
    async with Planwarden.open(load_settings()) as planwarden:
        world = await planwarden.world()
        retriever = Retriever()
        for language, tasks in TASKS.items():
            for prompt, tool in tasks:
                found = retriever.shortlist(prompt, world.catalog, world.policy, size=6, near=0.5)
                planned: tuple[str, ...] = ()
                if not only_retrieval:
                    plan = (await planwarden.plan_task(Task(prompt=prompt))).decision.plan
                    planned = tuple(name for step in plan.steps for name in step.tools) if plan else ()
                heard = bool(found.parts)
                counts[language].append(
                    (heard and found.tools[:1] == (tool,), heard and tool in found.tools, tool in planned)
                )
                if os.environ.get("PLANWARDEN_BENCH_SHOW"):
                    print(
                        f"    {language} {prompt}: wants {tool}, ranked {found.tools[:3]}, planned {planned}"
                    )
        retriever.close()
    every = [one for each in counts.values() for one in each]
    print("language  tasks  ranked first  shown  planned")
    for language, each in [*counts.items(), ("all", every)]:
        first, shown, planned_right = (sum(column) for column in zip(*each, strict=True))
        said = "–" if only_retrieval else str(planned_right)
        print(f"{language:<10}{len(each):>5}{first:>14}{shown:>7}{said:>9}")
    return 0 if sum(one[1] for one in every) >= FLOOR * len(every) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
