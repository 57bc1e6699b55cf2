"""Still further statements of every relation, and what may stand around any statement, for training alone.

A statement of `STATED` belongs to the relation whose first direct question is its key.
"""

from __future__ import annotations

BEFORE = (
    "as far as we know, ",
    "according to the [website|brochure|notice|report|town hall|staff], ",
    "please note that ",
    "it is well known that ",
    "as [announced|agreed|planned], ",
    "as you may have heard, ",
    "in case you wonder, ",
    "we can confirm that ",
    "our records show that ",
    "the leaflet says that ",
    "the sign at the entrance says that ",
    "readers should know that ",
    "although [few people know it|it has been debated|many doubt it], ",
    "because so many have asked: ",
    "for your information: ",
    "to be exact, ",
    "the facts are simple: ",
    "[everyone|everybody] here will tell you that ",
    "since people often ask, ",
    "a [visitor|guest|reporter|neighbour] wrote that ",
    "update: ",
    "note: ",
    "in short, ",
    "it turns out that ",
    "if the list is right, ",
)
AFTER = (
    ", says the [guide|brochure|leaflet|newspaper]",
    ", as [everybody|everyone] knows",
    ", according to the [records|office|staff]",
    ", as the sign says",
    ", which [surprises|pleases] many",
    ", and that will not change",
    ", so we were told",
    ", we hear",
    ", as of this year",
    ", if nothing comes up",
    " (last checked in [spring|May|autumn])",
    ", just as before",
    ", to be precise",
)
STATED: dict[str, str] = {
    "when does {e} open": """
        The doors of {e} are unlocked at {v}. / Come to {e} any time after {v}, when it opens.
        {v} is when {e} opens. / Nobody gets into {e} before {v}. / The first guests walk into {e} at {v}.
        {e}: open from {v}. / It is {v} when {e} lets in the first guests. / The staff of {e} open up at {v}.
        {e} is closed before {v}. / Starting at {v}, {e} is open to everyone. / Before {v} the doors of {e} stay shut.
        {e} welcomes guests from {v}.
    """,
    "when does {e} close": """
        The doors of {e} are locked at {v}. / After {v} nobody gets into {e}. / {v} is when {e} closes.
        {e}: open till {v}. / The last guests walk out of {e} at {v}. / It is {v} when {e} locks up.
        The staff of {e} lock up at {v}. / The lights of {e} go out at {v}. / {e} will not be open after {v}.
        You may stay in {e} until {v}, when it closes. / {e} ends its day at {v}. / By {v} {e} is closed.
    """,
    "on which day is {e} closed": """
        Do not come to {e} on a {v}, it is closed then. / {e} takes {v} off. / {v} is the day off at {e}.
        The closing day of {e} is {v}. / {e} is open every day but {v}. / On {v} the doors of {e} stay shut.
        The only day on which you cannot visit {e} is {v}. / {e} has its rest day on {v}. / {e}: closed on {v}.
        Each {v} {e} stays closed.
    """,
    "how high is {e}": """
        {v} is the height of {e}. / {e} is {v} in height. / With its {v}, {e} is hard to miss.
        {e} rises {v} into the sky. / Those who climb {e} go up {v}. / From its foot to its top {e} has {v}.
        They measured the height of {e} as {v}. / {e} towers {v} over the land. / {e} grows to a height of {v}.
        Its height makes {e} famous: {v}. / The highest point of {e} is at {v}.
    """,
    "how deep is {e}": """
        {v} is the depth of {e}. / {e} is {v} in depth. / A diver has to go down {v} in {e}. / {e} reaches {v} down.
        The bottom of {e} lies {v} down. / They measured the depth of {e} as {v}. / {e} falls off to {v}.
        It is {v} down to the ground of {e}. / The deepest point of {e} is at {v}.
    """,
    "how long is {e}": """
        {v} is the length of {e}. / {e} is {v} in length. / {e} runs over {v}. / {e} covers a length of {v}.
        Those who walk along {e} have {v} before them. / They measured the length of {e} as {v}.
        {e} stretches for {v}. / It is {v} from one end of {e} to the other. / {e} goes on for {v}.
        All in all {e} is {v} long.
    """,
    "how many people live in {e}": """
        {e} is home to {v}. / At the last count {e} had {v}. / As many as {v} have their home in {e}.
        {v} call {e} home. / In {e} live {v}. / The number of those who live in {e}: {v}. / {e} has grown to {v}.
        You will meet {v} in {e}. / Some {v} were counted in {e}. / With {v}, {e} is larger than one thinks.
    """,
    "who runs {e}": """
        At the head of {e} is {v}. / {v} looks after {e}. / {e} is in the care of {v}. / The one who runs {e} is {v}.
        The business of {e} is done by {v}. / {e} has {v} as its head. / {e} answers to {v}.
        {v} is at the helm of {e}. / It is {v} who runs {e}. / The daily work at {e} is led by {v}.
        Ask for {v}, who runs {e}. / Under {v}, who manages it, {e} does well.
    """,
    "who owns {e}": """
        {v} holds {e}. / {v} has owned {e} for years. / The one who owns {e} is {v}. / {e} was bought by {v}.
        It is {v} who owns {e}. / {v} is named as the owner of {e}. / {e} has {v} as its owner. / {v} inherited {e}.
        All of {e} is owned by {v}. / The deed of {e} carries the name of {v}.
    """,
    "what does {e} sell": """
        {e} is known for selling {v}. / Fresh {v} can be bought at {e}. / {e} trades in {v}.
        On the shelves of {e} is {v}. / Those who want {v} go to {e}, which sells it. / {e} makes its money with {v}.
        What {e} sells is {v}. / {v} is what you find on sale at {e}. / {e} has {v} on offer. / {e} stocks {v}.
        The goods of {e} are {v}. / Nothing but {v} is sold at {e}.
    """,
    "when does {e} start": """
        {v} is when {e} starts. / Be there by {v}, when {e} starts. / The start of {e} was set to {v}.
        {e} is on from {v}. / {e} sets out at {v}. / We start {e} at {v}. / Nothing happens at {e} before {v}.
        It is {v} when {e} begins. / {e} is going to start at {v}. / From {v} {e} is under way.
    """,
    "when does {e} end": """
        {v} is when {e} ends. / We end {e} at {v}. / {e} will be over by {v}. / {e} finishes at {v}.
        {e} runs until {v}. / After {v} everybody goes home from {e}. / It is {v} when {e} is over.
        {e} is going to end at {v}. / {e} winds up at {v}. / You can leave {e} at {v}, when it ends.
        The last part of {e} is over at {v}.
    """,
    "when does {e} take place": """
        {v} is the date of {e}. / Keep {v} free for {e}. / {e} was put on {v}. / {e} is going to be on {v}.
        {e}: {v}. / We meet for {e} on {v}. / The day of {e} is {v}. / They will hold {e} on {v}.
        {e} has been moved to {v}. / Come to {e} on {v}. / On {v} it is time for {e}.
        {v} was picked as the date for {e}.
    """,
    "who won {e}": """
        The one who won {e} was {v}. / The prize of {e} went to {v}. / {v} took first place in {e}. / {v} has won {e}.
        Nobody could beat {v} at {e}. / At the end of {e} the winner was {v}. / {e} had {v} as its winner.
        It was {v} who won {e}. / The winner's name at {e} was {v}. / Gold in {e} went to {v}.
    """,
    "how long does {e} last": """
        {v} is how long {e} lasts. / You will spend {v} at {e}. / {e} fills {v}. / Plan {v} for {e}. / {e} needs {v}.
        They gave {e} a length of {v}. / {v} after it begins, {e} is over. / {e} keeps people busy for {v}.
        In all {e} lasts {v}. / Expect {e} to last {v}. / From start to end {e} takes {v}.
    """,
    "how many people fit into {e}": """
        {e} was built for {v}. / There is no room for more than {v} in {e}. / {e} is full with {v}.
        {e} offers {v}, not more. / At most {v} find room in {e}. / {e} has a capacity of {v}.
        {e} is large enough for {v}. / {e} was made with room for {v}. / With {v}, {e} is full.
        The limit at {e} is {v}. / Inside {e} there is space for {v}.
    """,
    "when does the bus to {e} leave": """
        {v} is when the bus to {e} leaves. / For {e} take the bus at {v}. / There is a bus to {e} at {v}.
        The train to {e} pulls out at {v}. / The bus to {e} sets off at {v}.
        Those who go to {e} leave by bus at {v}. / The bus to {e} will not wait after {v}.
        Departure of the bus to {e}: {v}. / The driver leaves for {e} at {v}.
        Each day at {v} the bus leaves for {e}.
    """,
    "when does the parcel for {e} arrive": """
        {v} is when the parcel for {e} arrives. / They bring the parcel for {e} at {v}. / The parcel for {e}: {v}.
        The postman hands over the parcel for {e} at {v}. / Wait until {v} for the parcel for {e}.
        The parcel for {e} gets in at {v}. / By {v} the delivery for {e} will be here.
        The courier brings the delivery for {e} at {v}.
    """,
    "through which town does {e} flow": """
        {v} has {e} running through it. / The town on {e} is {v}. / You can see {e} in {v}. / {e} winds through {v}.
        {e} flows by {v}. / The course of {e} goes through {v}. / In {v} people live along {e}. / {e} crosses {v}.
        On its way to the sea, {e} flows through {v}. / The water of {e} runs through {v}.
    """,
    "how much is {e}": """
        Expect to pay {v} for {e}. / {e} sells at {v}. / {e} comes at a price of {v}.
        You will be charged {v} for {e}. / {v} is what you pay for {e}. / {e} will set you back {v}.
        The bill for {e} comes to {v}. / {e} is worth {v}. / For no more than {v} {e} is yours.
        They charge {v} for {e}. / {e} was marked at {v}. / {e}, {v}. / Whoever wants {e} has to pay {v}.
    """,
    "how heavy is {e}": """
        {v} is the weight of {e}. / {e} has a weight of {v}. / {e} comes to {v} on the scales. / {e} is a load of {v}.
        Whoever lifts {e} lifts {v}. / They weighed {e} at {v}. / All in all {e} weighs {v}.
        {e} tips the scales at {v}. / If you carry {e}, you carry {v}. / The scales say {v} for {e}.
    """,
    "when was {e} built": """
        {v} is the year {e} was built. / Work on {e} was done in {v}. / {e} was put up in {v}.
        {e} was finished in {v}. / {v} saw the building of {e}.
        The year on the front of {e} is {v}, when it was built. / {e} is from {v}. / {e} came into being in {v}.
        The first stone of {e} was laid in {v}. / {e} has existed since {v}. / It was in {v} that {e} was built.
        The building of {e} took place in {v}.
    """,
    "who designed {e}": """
        The look of {e} is the work of {v}. / {v} made the design of {e}. / {v} sketched {e}.
        {e} was thought up by {v}. / The plans for {e} came from {v}. / It was {v} who designed {e}.
        {v} is named as the designer of {e}. / {e} owes its shape to {v}. / On paper {e} was drawn by {v}.
        {e} has {v} as its designer.
    """,
    "who founded {e}": """
        {v} is the founder of {e}. / It was {v} who founded {e}. / {e} began with {v}, who founded it.
        {v} created {e}. / {e} owes its start to {v}. / {v} brought {e} into being.
        {v} is named as the founder of {e}. / {e} goes back to {v}, its founder. / The one who founded {e} is {v}.
        {e} was created by {v}.
    """,
    "who invented {e}": """
        {v} thought of {e} first. / It was {v} who invented {e}. / {e} was dreamt up by {v}. / {v} came up with {e}.
        {v} is named as the inventor of {e}. / The patent for {e} is held by {v}. / {e} was first made by {v}.
        We owe {e} to {v}, who invented it. / {e} has {v} as its inventor.
    """,
    "who discovered {e}": """
        It was {v} who discovered {e}. / {v} came upon {e}. / Nobody knew {e} until {v} discovered it.
        {v} spotted {e}. / {v} is named as the discoverer of {e}. / {e} was first seen by {v}.
        {v} brought {e} to light. / {e} has {v} as its discoverer. / The one who discovered {e} is {v}.
        {e} was first described by {v}.
    """,
    "where is {e}": """
        {v} is where {e} is. / {e} has its place in {v}. / Go to {v} if you look for {e}. / {v} is home to {e}.
        {e} belongs to {v}. / You get to see {e} in {v}. / {e} was set up in {v}. / Those who visit {v} can see {e}.
        {e} is found in {v}. / To see {e}, travel to {v}. / The town with {e} is {v}. / {e} is located in {v}.
    """,
    "how many batteries does {e} need": """
        {v} is the number of batteries for {e}. / {e} will not run without {v} batteries. / {e} holds {v} batteries.
        Put {v} batteries into {e}. / {e} is powered by {v} batteries. / You need {v} batteries for {e}.
        Inside {e} there are {v} batteries. / Without {v} batteries {e} stays dark. / {e} comes with {v} batteries.
    """,
    "what is {e} made of": """
        {v} was used to make {e}. / {e} is built of {v}. / They used {v} for {e}. / The makers of {e} chose {v}.
        {e} is all {v}. / All of {e} is {v}. / The stuff of {e} is {v}. / {e} was formed from {v}. / {e} is pure {v}.
        For {e} the makers took {v}. / The body of {e} is made of {v}. / To make {e}, one needs {v}.
    """,
    "what colour is {e}": """
        {v} is the colour of {e}. / {e} comes in {v}. / {e} shines in {v}. / One knows {e} by its colour, {v}.
        {e} was given the colour {v}. / For {e} they chose {v} as the colour. / {e} is {v} all over.
        You see {e} in {v}. / Seen from afar, {e} is {v}. / The paint on {e} is {v}. / They made {e} {v}.
    """,
    "how long is the warranty of {e}": """
        {v} is the warranty of {e}. / The maker repairs {e} for free for {v}. / {e} is covered for {v}.
        The warranty on {e} ends after {v}. / {e} is under warranty for {v}. / You get {v} of warranty with {e}.
        If {e} breaks within {v}, the warranty pays. / The maker gives {e} a warranty of {v}.
        {e} is sold with {v} of warranty. / For {v} the warranty of {e} is valid.
    """,
    "how long does the battery of {e} last": """
        {v} is how long the battery of {e} lasts. / {e} needs a charger after {v}.
        The battery keeps {e} going for {v}. / After {v} the battery of {e} is flat. / On battery {e} runs for {v}.
        Fully charged, {e} lasts {v}. / {e} has a battery for {v}. / The battery life of {e} is {v}.
        You can use {e} for {v} before the battery is empty.
    """,
    "who wrote {e}": """
        {v} is who wrote {e}. / It was {v} who wrote {e}. / {e} was penned by {v}. / {v} put {e} on paper.
        The writer of {e} is called {v}. / {e} has {v} as its author. / The text of {e} is by {v}.
        {v} finished writing {e}. / The one who wrote {e} is {v}.
        On the cover of {e} stands the name of its author, {v}.
    """,
    "who painted {e}": """
        It was {v} who painted {e}. / {e} comes from the brush of {v}. / {v} is who painted {e}.
        {v} put {e} on canvas. / {e} was done in oil by {v}. / The one who painted {e} is {v}.
        {e} has {v} as its painter. / The brush behind {e} was that of {v}. / {v} is named as the painter of {e}.
        The artist of {e} is {v}.
    """,
    "who composed {e}": """
        It was {v} who composed {e}. / {v} is who composed {e}. / {e} has {v} as its composer. / {v} put {e} to music.
        The notes of {e} are by {v}. / The one who composed {e} is {v}. / {v} is named as the composer of {e}.
        The tune of {e} was made by {v}. / {e} was set to music by {v}.
    """,
    "where was {e} born": """
        {v} is where {e} was born. / It was in {v} that {e} was born. / {e}, born in {v}, moved away young.
        The town where {e} was born is {v}. / {e} is a child of {v}. / {v} saw the birth of {e}. / {e} hails from {v}.
        The birth of {e} took place in {v}. / The roots of {e} are in {v}. / {v} claims {e}, who was born there.
    """,
    "where does {e} live": """
        {e} is at home in {v}. / {e} has moved to {v}. / You can visit {e} at home in {v}. / {e} rents a flat in {v}.
        {e} lives and sleeps in {v}. / The house of {e} is in {v}. / {e} makes a home in {v}. / {v} is home to {e}.
        The town where {e} lives is {v}. / It is {v} where {e} lives. / These days {e} lives in {v}.
    """,
    "when was {e} born": """
        {v} is the year {e} was born. / It was in {v} that {e} was born. / {e} was a child of the year {v}.
        The birth of {e} was in {v}. / The parents of {e} had their child in {v}.
        The papers of {e} give {v} as the year of birth. / {e} saw the light of day in {v}.
        The life of {e} began in {v}.
    """,
    "when did {e} die": """
        {v} is the year {e} died. / It was in {v} that {e} died. / The life of {e} ended in {v}.
        {e} was buried in {v}. / {e} did not live beyond {v}. / {e} has been dead since {v}.
        The year of death of {e} is {v}. / {v} saw the death of {e}. / They mourned {e}, who died in {v}.
    """,
    "what did {e} study": """
        {v} is what {e} studied. / The field of {e} is {v}. / {e} knows a lot about {v}, having studied it.
        {e} is trained in {v}. / At university {e} chose {v}. / {e} spent years studying {v}.
        {e} passed the exams in {v}. / For years {e} has taught {v}. / The degree of {e} is in {v}.
        {e} became a student of {v}.
    """,
    "which language does {e} speak": """
        {v} is what {e} speaks. / {e} talks to everybody in {v}. / {e} is fluent in {v}. / {e} grew up speaking {v}.
        You can speak {v} with {e}. / At home {e} speaks {v}. / {e} answers in {v}. / {e} has a good command of {v}.
        {e} writes and speaks {v}. / The language that {e} speaks is {v}.
    """,
    "where does {e} work": """
        {v} is where {e} has a job. / {e} found work in {v}. / {e} has a desk in {v}.
        Every morning {e} drives to work in {v}. / {e} earns a living in {v}. / The workplace of {e} is in {v}.
        The job of {e} is in {v}. / It is {v} where {e} works. / {e} is at work in {v}. / The firm of {e} is in {v}.
    """,
    "which pet does {e} have": """
        {v} is the kind of pet that {e} has. / At home {e} has a {v}. / {e} bought a {v}. / {e} feeds a {v} every day.
        {e} shares the house with a {v}. / {e} is the owner of a {v}. / The animal of {e} is a {v}.
        {e} raises a {v}. / {e} has had a {v} for years. / There is a {v} in the house of {e}.
    """,
    "what does {e} like": """
        Nothing pleases {e} more than {v}. / {e} cannot get enough of {v}. / {e} always orders {v}.
        {e} is happy with {v}. / For dinner {e} likes {v}. / {e} is a friend of {v}.
        {e} likes nothing better than {v}. / {e} is wild about {v}. / The dish that {e} likes is {v}.
        {e} would eat {v} every day. / Give {e} {v}, that is what {e} likes.
    """,
    "to whom is {e} married": """
        {e} has {v} as a partner. / {e} took {v} in marriage. / It is {v} to whom {e} is married.
        {e} became the partner of {v}. / The wedding of {e} and {v} was last year. / {e} and {v} are a married couple.
        {e} wears the ring of {v}. / {e} shares a life with {v}, to whom {e} is married. / {v} and {e} are married.
        {e} got married to {v}.
    """,
}
