"""The tasks: each of the five agents, over the samples and over data of one's own, alone and in company."""

from __future__ import annotations

from statistics import mean

import sample_facts as facts
from task import EndToEndTask, task, use

RUDE = "This is terrible. You always fail, and I hate the awful mess you made."
KIND = "Thank you so much, this is excellent work and a wonderful, clear result."
LOUD = "READ THIS NOW!!! The meeting MUST start today!!!"
DRY = "The report covers the first quarter. It has three chapters and one annex."

GENERAL = (
    task(
        "product", "general_agent", "What is 17 * 23?", use("utils.calculator", "391", expression="17 * 23")
    ),
    task(
        "brackets",
        "general_agent",
        "Calculate (1250 - 200) / 7",
        use("utils.calculator", "150", expression="(1250 - 200) / 7"),
    ),
    task(
        "root",
        "general_agent",
        "How much is sqrt(2025)?",
        use("utils.calculator", "45", expression="sqrt(2025)"),
    ),
    task(
        "long sum",
        "general_agent",
        "Add up 19.99 + 5.01 + 250",
        use("utils.calculator", "275", expression="19.99 + 5.01 + 250"),
    ),
    task(
        "tokyo", "general_agent", "What time is it in Tokyo?", use("utils.clock", "Asia/Tokyo", zone="Tokyo")
    ),
    task(
        "berlin",
        "general_agent",
        "Tell me the current time in Berlin",
        use("utils.clock", "Europe/Berlin", zone="Berlin"),
    ),
    task(
        "weekday",
        "general_agent",
        "Which day of the week is it now in New York?",
        use("utils.clock", ("New_York", "day"), zone="New York"),
    ),
    task(
        "notes",
        "general_agent",
        "What is written in notes.txt?",
        use("files.read", "buy oat milk", path="notes.txt"),
        files={"notes.txt": "Remember: buy oat milk and call the dentist.\n"},
    ),
    task(
        "draft",
        "general_agent",
        "Open plans/spring.md and show it to me",
        use("files.read", "seedlings", path="plans/spring.md"),
        files={"plans/spring.md": "# Spring\nThe seedlings go out in April.\n"},
    ),
)

FINANCE = (
    task(
        "ibm now",
        "finance_agent",
        "What is the latest price of IBM?",
        use("finance.snapshot", facts.latest("IBM"), symbol="IBM"),
    ),
    task(
        "amazon now",
        "finance_agent",
        "How much does one AMZN share cost?",
        use("finance.snapshot", facts.latest("AMZN"), symbol="AMZN"),
    ),
    task(
        "google now",
        "finance_agent",
        "Give me a current quote for GOOG",
        use("finance.snapshot", facts.latest("GOOG"), symbol="GOOG"),
    ),
    task(
        "apple average",
        "finance_agent",
        "What was the average price of AAPL in 2008?",
        use(
            "finance.analytics",
            facts.average("AAPL", 2008),
            symbol="AAPL",
            measure="average",
            start_year=2008,
            end_year=2008,
        ),
    ),
    task(
        "microsoft fall",
        "finance_agent",
        "How big was the maximum drawdown of MSFT?",
        use("finance.analytics", facts.worst_fall("MSFT"), symbol="MSFT", measure="max_drawdown"),
    ),
    task(
        "amazon fall",
        "finance_agent",
        "What is the worst drop from a peak that AMZN ever had?",
        use("finance.analytics", facts.worst_fall("AMZN"), symbol="AMZN", measure="max_drawdown"),
    ),
    task(
        "own quote",
        "finance_agent",
        "What is the latest price of OMEGA?",
        use("finance.snapshot", "736.50", symbol="OMEGA"),
        data="quotes.csv",
    ),
    task(
        "own quote again",
        "finance_agent",
        "Where does ZETA stand at the moment?",
        use("finance.snapshot", "52.80", symbol="ZETA"),
        data="quotes.csv",
    ),
    task(
        "own fall",
        "finance_agent",
        "Maximum drawdown of OMEGA, please",
        use("finance.analytics", "6.4", symbol="OMEGA", measure="max_drawdown"),
        data="quotes.csv",
    ),
)

RESEARCH = (
    task(
        "lease",
        "research_agent",
        "Search the documents for what happens when a lease expires",
        use("research.search", "leases-and-epochs.md", query="what happens when a lease expires"),
    ),
    task(
        "keys",
        "research_agent",
        "Find the passage about idempotency keys",
        use("research.search", "idempotency-keys.md", query="idempotency keys"),
    ),
    task(
        "ladder",
        "research_agent",
        "What do the documents say about the validity ladder?",
        use("research.search", "validity-ladder.md", query="validity ladder"),
    ),
    task(
        "adherence",
        "research_agent",
        "Look up how adherence is defined in the documentation",
        use("research.search", "deviations-and-adherence.md", query="how adherence is defined"),
    ),
    task(
        "sum up journal",
        "research_agent",
        "Summarize journal.md",
        use("research.summarizer", "journal.md", document="journal.md"),
    ),
    task(
        "sum up plans",
        "research_agent",
        "Give me the key points of plans.md",
        use("research.summarizer", "plans.md", document="plans.md"),
    ),
    task(
        "refund",
        "research_agent",
        "Search the handbook for refunds of a parcel",
        use("research.search", "fourteen days", query="refunds of a parcel"),
        data="handbook",
    ),
    task(
        "hotel",
        "research_agent",
        "What do our documents say about the price of hotels?",
        use("research.search", "140 euros", query="price of hotels"),
        data="handbook",
    ),
    task(
        "sum up travel",
        "research_agent",
        "Summarize travel.md in two sentences",
        use("research.summarizer", "travel.md", document="travel.md", sentences=2),
        data="handbook",
    ),
)

CREATIVE = (
    task(
        "rude mail",
        "creative_agent",
        f"Check the tone of this email: {RUDE}",
        use("creative.tonecheck", "negative", text=RUDE),
    ),
    task(
        "kind mail",
        "creative_agent",
        f'Does this sound friendly? "{KIND}"',
        use("creative.tonecheck", "positive", text=KIND),
    ),
    task(
        "loud notice",
        "creative_agent",
        f'Am I shouting in this message: "{LOUD}"',
        use("creative.tonecheck", "shouts", text=LOUD),
    ),
    task(
        "dry report",
        "creative_agent",
        f"How readable is this paragraph: {DRY}",
        use("creative.tonecheck", "neutral", text=DRY),
    ),
    task(
        "harsh reply",
        "creative_agent",
        f'Is the following reply to a customer too harsh? "{RUDE}"',
        use("creative.tonecheck", "negative", text=RUDE),
    ),
    task(
        "review draft",
        "creative_agent",
        f"Review the tone of my draft: {KIND}",
        use("creative.tonecheck", "positive", text=KIND),
    ),
)

ENTERPRISE = (
    task(
        "rain",
        "enterprise_agent",
        "What is the total precipitation in the seattle_weather table?",
        use(
            "data.aggregate",
            facts.weather("precipitation", sum),
            table="seattle_weather",
            column="precipitation",
            operation="sum",
        ),
    ),
    task(
        "hottest",
        "enterprise_agent",
        "What was the highest temp_max in seattle_weather?",
        use(
            "data.aggregate",
            facts.weather("temp_max", max),
            table="seattle_weather",
            column="temp_max",
            operation="maximum",
        ),
    ),
    task(
        "snow wind",
        "enterprise_agent",
        "Average wind on days with snow in the weather table",
        use(
            "data.aggregate",
            facts.weather("wind", mean, "snow"),
            table="seattle_weather",
            column="wind",
            operation="average",
            where_column="weather",
            where_value="snow",
        ),
    ),
    task(
        "fog days",
        "enterprise_agent",
        "Count the days with fog in the weather table",
        use(
            "data.query",
            facts.days_of("fog"),
            sql="SELECT count(*) AS days FROM seattle_weather WHERE weather = 'fog'",
        ),
    ),
    task(
        "highest price",
        "enterprise_agent",
        "Run SQL: SELECT max(price) FROM stocks WHERE symbol = 'GOOG'",
        use("data.query", facts.highest("GOOG"), sql="SELECT max(price) FROM stocks WHERE symbol = 'GOOG'"),
    ),
    task(
        "sales in all",
        "enterprise_agent",
        "What is the total amount in the sales table?",
        use("data.aggregate", "5976.9", table="sales", column="amount", operation="sum"),
        data="sales.csv",
    ),
    task(
        "sales of kettles",
        "enterprise_agent",
        "Sum of units for the product kettle in our sales",
        use(
            "data.aggregate",
            "76",
            table="sales",
            column="units",
            operation="sum",
            where_column="product",
            where_value="kettle",
        ),
        data="sales.csv",
    ),
    task(
        "sales by region",
        "enterprise_agent",
        "Total amount of sales by region",
        use(
            "data.aggregate",
            ("north: 3000.75", "west: 275.4"),
            table="sales",
            column="amount",
            operation="sum",
            group_by="region",
        ),
        data="sales.csv",
    ),
    task(
        "write minutes",
        "enterprise_agent",
        'Write the text "Budget approved." to minutes.txt',
        use("files.write", "minutes.txt", path="minutes.txt", content="Budget approved."),
        written={"minutes.txt": "Budget approved."},
    ),
    task(
        "save note",
        "enterprise_agent",
        'Save "Call the supplier on Friday" in todo/friday.md',
        use("files.write", "friday.md", path="todo/friday.md", content="Call the supplier on Friday"),
        written={"todo/friday.md": "Call the supplier on Friday"},
    ),
)

TOGETHER = (
    task(
        "price then time",
        "finance_agent",
        "What is the latest price of MSFT, and then what time is it in Tokyo?",
        use("finance.snapshot", facts.latest("MSFT"), symbol="MSFT"),
        use("utils.clock", "Asia/Tokyo", zone="Tokyo"),
    ),
    task(
        "price and fall",
        "finance_agent",
        "Give me the latest price of IBM, and then its maximum drawdown",
        use("finance.snapshot", facts.latest("IBM"), symbol="IBM"),
        use("finance.analytics", facts.worst_fall("IBM"), symbol="IBM", measure="max_drawdown"),
    ),
    task(
        "sum and search",
        "general_agent",
        "Calculate 365 * 24, and then search the documents for confidence",
        use("utils.calculator", "8760", expression="365 * 24"),
        use("research.search", "confidence.md", query="confidence"),
    ),
    task(
        "rain and tone",
        "enterprise_agent",
        "What is the total precipitation in seattle_weather? Then check the tone of: "
        "It rained a lot and everybody was sad.",
        use(
            "data.aggregate",
            facts.weather("precipitation", sum),
            table="seattle_weather",
            column="precipitation",
            operation="sum",
        ),
        use("creative.tonecheck", "negative", text="It rained a lot and everybody was sad."),
    ),
)

LANGUAGES = (
    task(
        "de kurs",
        "finance_agent",
        "Wie hoch ist der aktuelle Kurs von IBM?",
        use("finance.snapshot", facts.latest("IBM"), symbol="IBM"),
        language="de",
    ),
    task(
        "fr heure",
        "general_agent",
        "Quelle heure est-il à Paris ?",
        use("utils.clock", "Europe/Paris", zone="Paris"),
        language="fr",
    ),
    task(
        "es resumen",
        "research_agent",
        "Resume el documento journal.md",
        use("research.summarizer", "journal.md", document="journal.md"),
        language="es",
    ),
    task(
        "it calcolo",
        "general_agent",
        "Calcola 48 * 12",
        use("utils.calculator", "576", expression="48 * 12"),
        language="it",
    ),
)

TASKS: tuple[EndToEndTask, ...] = (
    *GENERAL,
    *FINANCE,
    *RESEARCH,
    *CREATIVE,
    *ENTERPRISE,
    *TOGETHER,
    *LANGUAGES,
)
