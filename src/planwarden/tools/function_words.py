"""Words of a request that say nothing by themselves: not which tool is meant, and no value for one."""

# fmt: off
FUNCTION_WORDS = frozenset((
    "a", "about", "an", "and", "are", "as", "at", "be", "but", "by", "can", "could", "did", "do", "does",
    "for", "from", "get", "give", "has", "have", "how", "i", "if", "in", "into", "is", "it", "its", "me",
    "my", "no", "not", "of", "on", "or", "our", "please", "show", "such", "tell", "that", "the", "their",
    "then", "there", "these", "they", "this", "to", "us", "was", "we", "what", "when", "where", "which",
    "who", "will", "with", "would", "you", "your",
))
# fmt: on
"""Words that say nothing about which tool is meant; a task of nothing else retrieves nothing."""

REFERRING_WORDS = frozenset(
    (
        "again",
        "also",
        "another",
        "else",
        "instead",
        "just",
        "more",
        "now",
        "once",
        "one",
        "ones",
        "only",
        "other",
        "same",
        "so",
        "still",
        "too",
        "way",
        "well",
        "yes",
    )
)
"""Words that point back at what was said, and name nothing new."""
