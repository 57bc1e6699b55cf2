"""Further ways to state and to ask what is known of people and their works, for training alone.

The entries have the form of those in `variety_relations.py`.
"""

from __future__ import annotations

PEOPLE: dict[str, tuple[str, str, str]] = {
    "who wrote {e}": (
        """
        The author of {e} is {v}. / {e} comes from the pen of {v}. / {v} is the author of {e}.
        {e} is a work of {v}.
        """,
        """
        who's the author of {e} / who is the writer of {e} / which person wrote {e} / {e} was written by whom
        from whose pen is {e} / who has written {e}
        """,
        "who the author of {e} is / who is the author of {e} / who {e} is by / who has written {e}",
    ),
    "who painted {e}": (
        "The painter of {e} is {v}. / {e} is a painting by {v}. / {v} is the painter of {e}.",
        "who's the painter of {e} / which artist painted {e} / {e} was painted by whom / by which painter is {e}",
        "who the painter of {e} is / who {e} was painted by / which artist painted {e}",
    ),
    "who composed {e}": (
        "The composer of {e} is {v}. / The music of {e} is by {v}. / {v} wrote the music of {e}.",
        "who's the composer of {e} / who wrote the music of {e} / {e} was composed by whom / by which composer is {e}",
        "who the composer of {e} is / who {e} was composed by / who wrote the music of {e}",
    ),
    "where was {e} born": (
        """
        The birthplace of {e} is {v}. / {e} is from {v}. / The home town of {e} is {v}.
        {e} came to the world in {v}.
        """,
        """
        what is the home town of {e} / which town does {e} come from / in which place was {e} born / {e} is from where
        from which town is {e} / what's the birthplace of {e} / from where does {e} come
        """,
        "the birthplace of {e} / which town {e} comes from / in which place {e} was born / the home town of {e}",
    ),
    "where does {e} live": (
        "The home of {e} is in {v}. / {e} has a house in {v}. / {e} settled in {v}. / {v} is where {e} lives.",
        """
        which town does {e} live in / where is the home of {e} / where has {e} settled / in what place does {e} live
        to which town did {e} move / where does {e} have a house / {e} lives where / where's the home of {e}
        """,
        "in which town {e} lives / where {e} has settled / where the home of {e} is / where {e} moved to",
    ),
    "when was {e} born": (
        "The year of birth of {e} is {v}. / {e} came to the world in {v}. / In {v} {e} was born.",
        """
        what is the year of birth of {e} / {e} was born when / since when has {e} been alive
        when did {e} come to the world
        """,
        "the year of birth of {e} / in what year {e} was born / which year {e} was born in",
    ),
    "when did {e} die": (
        "In {v} {e} died. / The death of {e} was in {v}. / {e} passed away in {v}. / {e} lived until {v}.",
        """
        when was the death of {e} / until when did {e} live / when did {e} pass away / {e} died when
        which year did {e} die in
        """,
        "until when {e} lived / when {e} passed away / in what year {e} died",
    ),
    "what did {e} study": (
        """
        The subject of {e} is {v}. / {e} gives lessons in {v}. / {e} took courses in {v}.
        At school {e} teaches {v}.
        """,
        """
        which subject does {e} teach / in which subject does {e} have a degree / what subject did {e} study
        what does {e} give lessons in / what degree does {e} have / what has {e} studied
        """,
        """
        what subject {e} teaches / which subject {e} studied / in which subject {e} has a degree
        what {e} has studied
        """,
    ),
    "which language does {e} speak": (
        "{v} is the language of {e}. / {e} can speak {v}. / {e} knows {v}. / With friends {e} speaks {v}.",
        """
        in which language does {e} talk / what is the language of {e} / which language can {e} speak
        what language is {e} learning / which languages does {e} speak
        """,
        "which language {e} is learning / what language {e} knows / the language that {e} speaks",
    ),
    "where does {e} work": (
        "The office of {e} is in {v}. / {e} has a job in {v}. / {e} goes to work in {v}. / {v} is where {e} works.",
        """
        in which town is the office of {e} / where does {e} have an office / where does {e} have a job / {e} works where
        in which place does {e} work / which city does {e} work in
        """,
        "where the office of {e} is / in which town {e} works / where {e} has an office / which city {e} works in",
    ),
    "which pet does {e} have": (
        "The pet of {e} is a {v}. / A {v} lives with {e}. / {e} has a {v} as a pet. / {e} takes care of a {v}.",
        """
        what is the pet of {e} / which animal lives with {e} / what kind of animal does {e} have
        which pet does {e} own
        what animal does {e} keep / {e} has which pet
        """,
        "what pet {e} has / which animal {e} has / what kind of pet {e} has / which animal lives with {e}",
    ),
    "what does {e} like": (
        "{v} is what {e} likes. / The favourite food of {e} is {v}. / {e} enjoys {v}. / {e} is fond of {v}.",
        """
        what food does {e} prefer / what does {e} love / which food does {e} like / what is {e} fond of
        what does {e} enjoy / what would {e} like to eat / which food does {e} eat
        """,
        "what {e} loves / what food {e} likes / what {e} enjoys / what {e} prefers to eat / what {e} eats",
    ),
    "to whom is {e} married": (
        "{v} is married to {e}. / {e} and {v} work together. / {v} works with {e}. / The partner of {e} is {v}.",
        """
        who does {e} have a marriage with / who works with {e} / who is the partner of {e} / of whom is {e} the child
        {e} is married to whom / together with whom does {e} work
        """,
        "to whom {e} is married / whose child {e} is / who works with {e} / who the partner of {e} is",
    ),
}
