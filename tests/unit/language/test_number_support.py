"""Numbers of a text against its sources: any notation of what is there is found, anything else is flagged."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planwarden.language.number_words import han_number
from planwarden.language.numbers import mentions
from planwarden.language.support import unsupported_mentions

pytestmark = pytest.mark.requirement("ANS-1")


def flagged(text: str, *sources: str, language: str = "en") -> list[str]:
    return [mention.text for mention in unsupported_mentions(text, sources, language)]


@pytest.mark.parametrize(
    ("text", "source", "language"),
    [
        ("1,234.56", "1234.56", "en"),
        ("1.234,56", "1234.56", "de"),
        ("1\u202f234,56 €", "1,234.56", "fr"),
        ("1 234,56", "1234.56", "pl"),
        ("1'234.56", "1234.56", "de"),
        ("12,34,567", "1234567", "en"),
        ("١٢٣٤٫٥", "1234.5", "ar"),
        ("१२३", "123", "hi"),
        ("１２３．５", "123.5", "ja"),
        ("12 %", "0.12", "de"),
        ("0.12", "12%", "en"),
        ("%17", "0.17", "tr"),
        ("百分之十二", "0.12", "zh"),
        ("$3.4 million", "3412345", "en"),
        ("3,4 Mio.", "3400000", "de"),
        ("2bn", "2000000000", "en"),
        ("5k", "5000", "en"),
        ("12 lakh", "1200000", "en"),
        ("3億5,000万", "350000000", "ja"),
        ("3억 5천만", "350000000", "ko"),
        ("1.2e5", "120000", "en"),
        ("1.2×10⁵", "120000", "en"),
        ("2½", "2.5", "en"),
        ("3/4", "0.75", "en"),
        ("10-20", "from 10 to 20", "en"),
        ("the 21st", "21", "en"),
        ("約1234円", "1234", "ja"),
        ("USD500", "500", "en"),
        ("a loss of 9", "-9", "en"),
        ("125.5", "125.46", "en"),
        ("May 1, 2024", "2024-05-01", "en"),
        ("1. Mai 2024", "2024-05-01", "de"),
        ("1 de mayo de 2024", "2024-05-01", "es"),
        ("1 мая 2024", "2024-05-01", "ru"),
        ("2024年5月1日", "01.05.2024", "zh"),
        ("5/1/2024", "2024-05-01", "en"),
        ("2024-05-01", "20240501", "en"),
        ("in 2024", "2024-05-01T12:30:00Z", "en"),
        ("3:45 pm", "15:45", "en"),
        ("twelve", "12", "en"),
        ("12", "twelve", "en"),
        ("fünfundzwanzig", "25", "de"),
        ("quatre-vingt-dix-neuf", "99", "fr"),
        ("treinta y cinco mil", "35000", "es"),
        ("三百五十人", "350", "zh"),
        ("1.234", "1234", "de"),
        ("1.234", "1.234", "en"),
    ],
)
def test_a_number_is_found_in_whatever_notation_it_stands(text: str, source: str, language: str) -> None:
    assert flagged(text, source, language=language) == []


@pytest.mark.parametrize(
    ("text", "source", "language", "found"),
    [
        ("1.234,57", "1234.56", "de", ["1.234,57"]),
        ("13 %", "0.12", "de", ["13 %"]),
        ("3.4 billion", "3400000", "en", ["3.4 billion"]),
        ("May 2, 2024", "2024-05-01", "en", ["May 2, 2024"]),
        ("2025-05-01", "2024-05-01, 2025", "en", ["2025-05-01"]),
        ("3:46 pm", "15:45", "en", ["3:46"]),
        ("thirteen", "12", "en", ["thirteen"]),
        ("三百五十一人", "350", "zh", ["三百五十一"]),
        ("١٢٤", "123", "ar", ["١٢٤"]),
        ("4億", "3億", "ja", ["4億"]),
        ("12 and 7 make 19", "12 and 7", "en", ["19"]),
        ("7,5", "7 and 5", "de", ["7,5"]),
    ],
)
def test_a_number_that_the_source_does_not_hold_is_flagged(
    text: str, source: str, language: str, found: list[str]
) -> None:
    assert flagged(text, source, language=language) == found


@pytest.mark.parametrize(
    "text",
    [
        "H2O",
        "GPT-4",
        "Q3",
        "s1.1",
        "v2.0.1",
        "see https://x.example/99?a=12",
        "one of them, at first",
        "十分",
    ],
)
def test_a_name_with_digits_and_words_that_count_nothing_are_no_numbers(text: str) -> None:
    assert flagged(text, "") == []


def grouped(whole: int, mark: str, indian: bool = False) -> str:
    digits = str(whole)
    groups: list[str] = []
    size = 3
    while len(digits) > size:
        groups.insert(0, digits[-size:])
        digits = digits[:-size]
        size = 2 if indian else 3
    return mark.join([digits, *groups])


def notations(whole: int, cents: int) -> list[str]:
    """Write one number with two decimals as sixteen languages do."""
    decimals = f"{cents:02d}"
    western = [
        (",", "."),
        (".", ","),
        ("'", "."),
        ("’", "."),
        ("\u00a0", ","),
        ("\u202f", ","),
        (" ", ","),
        ("", "."),
        ("", ","),
    ]
    written = [f"{grouped(whole, mark)}{point}{decimals}" for mark, point in western]
    plain = f"{whole}.{decimals}"
    written += [f"{grouped(whole, ',', indian=True)}.{decimals}"]
    for zero in (0x660, 0x6F0, 0x966, 0x9E6, 0xFF10):
        written.append("".join(chr(zero + int(sign)) if sign.isdigit() else sign for sign in plain))
    written.append(written[-5].replace(".", "٫"))
    return written


@settings(deadline=None)
@given(
    whole=st.integers(0, 10**12),
    cents=st.integers(0, 99),
    before=st.sampled_from(["", "€", "$ ", "≈", "(", "-"]),
)
def test_whatever_is_written_from_the_source_in_any_notation_is_never_flagged(
    whole: int, cents: int, before: str
) -> None:
    for written in notations(whole, cents):
        assert flagged(f"It is {before}{written} now", f"value {whole}.{cents:02d}") == [], written
        assert flagged(f"It is {whole}.{cents:02d} now", f"value: {before}{written};") == [], written


@settings(deadline=None)
@given(
    whole=st.integers(0, 10**12),
    cents=st.integers(0, 99),
    others=st.lists(st.decimals(0, 10**9, places=2, allow_nan=False, allow_infinity=False), max_size=20),
)
def test_a_number_that_no_source_holds_is_always_flagged_in_any_notation(
    whole: int, cents: int, others: list[Decimal]
) -> None:
    value = Decimal(f"{whole}.{cents:02d}")
    source = "; ".join(f"{other:f}" for other in others)
    if value in others:
        return
    for written in notations(whole, cents):
        assert flagged(f"It is {written} now", source) == [written], written


@settings(deadline=None)
@given(text=st.text(max_size=300))
def test_any_text_can_be_read_and_supports_itself(text: str) -> None:
    assert [mention.text for mention in unsupported_mentions(text, [text], "en")] == []


@pytest.mark.parametrize(
    "piece", ["1,", "1 111 ", "a-", "1万", "A1.", " 1 de de", "1.1", "may 5 ", "value 1,234.56; "]
)
def test_time_grows_with_the_length_only(piece: str) -> None:
    def seconds(size: int) -> float:
        began = time.process_time()
        sum(1 for _ in mentions(piece * (size // len(piece))))
        return time.process_time() - began

    seconds(1_000)
    assert seconds(160_000) < 40 * max(seconds(20_000), 0.002)


def test_chinese_numerals_are_read_and_words_made_of_them_are_not() -> None:
    read = {
        "三百五十": 350,
        "二〇二四": 2024,
        "十二": 12,
        "一万二千": 12_000,
        "万一": None,
        "千万": None,
        "一一": None,
    }
    assert {letters: han_number(letters) for letters in read} == read
