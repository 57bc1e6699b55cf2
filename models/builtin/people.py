"""People and their works: who they are, where they live, what they made.

Every entry is data in the form of `facts.relation`; slots are `{e}` for the subject and `{v}` for the value.
"""

from __future__ import annotations

from .facts import Relation, relation

PEOPLE: tuple[Relation, ...] = (
    relation(
        "work",
        "person",
        "{e} was written by {v}. / {v} wrote {e}. / {e} is by {v}.",
        """
        who wrote {e} / by whom was {e} written / who is the author of {e} / who was {e} written by / who is {e} by
    """,
        "who wrote {e} / by whom {e} was written / who {e} was written by",
    ),
    relation(
        "work",
        "person",
        "{e} was painted by {v}. / {v} painted {e}.",
        """
        who painted {e} / by whom was {e} painted / who is the painter of {e} / who was {e} painted by
    """,
        "who painted {e} / by whom {e} was painted",
    ),
    relation(
        "work",
        "person",
        "{e} was composed by {v}. / {v} composed {e}.",
        """
        who composed {e} / by whom was {e} composed / who is the composer of {e} / who was {e} composed by
    """,
        "who composed {e} / by whom {e} was composed",
    ),
    relation(
        "person",
        "city",
        "{e} was born in {v}. / {e} comes from {v}. / {v} is the birthplace of {e}.",
        """
        where was {e} born / in which town was {e} born / where does {e} come from / where is {e} from
        in what city was {e} born / what is the birthplace of {e}
    """,
        "where {e} was born / in which city {e} was born / where {e} comes from / where {e} is from",
    ),
    relation(
        "person",
        "city",
        "{e} lives in {v}. / {e} has lived in {v} for years. / {e} moved to {v}.",
        """
        where does {e} live / in which town does {e} live / where is {e} living / in which city does {e} live
        where did {e} move to / what town does {e} live in
    """,
        "where {e} lives / in which city {e} lives / which town {e} lives in",
    ),
    relation(
        "person",
        "year",
        "{e} was born in {v}. / {e} was born in the year {v}.",
        """
        when was {e} born / in which year was {e} born / what year was {e} born / in what year was {e} born
        which year was {e} born in
    """,
        "when {e} was born / in which year {e} was born / what year {e} was born",
    ),
    relation(
        "person",
        "year",
        "{e} died in {v}. / {e} died in the year {v}.",
        """
        when did {e} die / in which year did {e} die / what year did {e} die / in what year did {e} die
    """,
        "when {e} died / in which year {e} died / what year {e} died",
    ),
    relation(
        "person",
        "subject",
        "{e} studied {v}. / {e} teaches {v}. / {e} has a degree in {v}.",
        """
        what did {e} study / which subject did {e} study / what does {e} teach / what subject does {e} teach
        in what does {e} have a degree
    """,
        "what {e} studied / which subject {e} teaches / what {e} teaches",
    ),
    relation(
        "person",
        "language",
        "{e} speaks {v}. / {e} speaks {v} at home. / {e} is learning {v}.",
        """
        which language does {e} speak / what language does {e} speak / what does {e} speak at home
        which language is {e} learning / what languages does {e} know
    """,
        "which language {e} speaks / what language {e} speaks / what {e} speaks",
    ),
    relation(
        "person",
        "city",
        "{e} works in {v}. / {e} has an office in {v}. / {e} works at the office in {v}.",
        """
        where does {e} work / in which city does {e} work / where is the office of {e} / where is {e} working
        in what town does {e} work
    """,
        "where {e} works / in which city {e} works",
    ),
    relation(
        "person",
        "animal",
        "{e} has a {v}. / {e} owns a {v}. / {e} keeps a {v}.",
        """
        which pet does {e} have / what animal does {e} have / what kind of pet does {e} own
        which animal does {e} keep / what pet does {e} have
    """,
        "which pet {e} has / what animal {e} keeps / what kind of animal {e} owns",
    ),
    relation(
        "person",
        "food",
        "{e} likes {v}. / {e} loves {v}. / {e} eats a lot of {v}. / {e} prefers {v}.",
        """
        what does {e} like / what does {e} like to eat / which food does {e} love / what does {e} prefer
        what does {e} eat / what food does {e} like
    """,
        "what {e} likes / what {e} likes to eat / which food {e} prefers",
    ),
    relation(
        "person",
        "person",
        "{e} is married to {v}. / {e} is the child of {v}. / {e} works with {v}.",
        """
        to whom is {e} married / who is {e} married to / with whom does {e} work / who does {e} work with
        whose child is {e}
    """,
        "who {e} is married to / with whom {e} works / who {e} works with",
    ),
)
