"""What a report says of how things were done, and of the works that they stand on."""

from __future__ import annotations

from collections.abc import Sequence

from rc_pipeline.reporting.cells import figure
from rc_pipeline.reporting.document import Cite, Code, Paragraph, Piece, Row, See, Table, Text, listed, said, sentences
from rc_pipeline.reporting.scoreboard import Column
from rc_pipeline.reporting.study import Study, read_prompts
from rc_pipeline.reporting.verdicts import read_verdicts

# What a format is called, the work that it comes from, and what is in it.
FORMATS: dict[str, tuple[str, str, str]] = {
    "cosmos_qa": ("Cosmos QA", "huang-2019-cosmos",
                  "asks four-way questions about everyday narratives whose answers stand between the lines"),
    "trivia_qa": ("TriviaQA", "joshi-2017-triviaqa",
                  "pairs trivia questions with pages that were found for them and that may or may not answer them"),
    "squad": ("SQuAD", "rajpurkar-2016-squad", "asks for spans of encyclopedia paragraphs"),
    "alpaca": ("Alpaca", "taori-2023-alpaca", "holds instructions and answers that a language model wrote"),
    "mmlu": ("MMLU", "hendrycks-2021-mmlu", "asks four-way questions of subjects from school to profession"),
    "bigbench": ("BIG-Bench Hard", "suzgun-2023-bbh", "gathers tasks that language models found hard"),
    "super_ni": ("Super-NaturalInstructions", "wang-2022-superni", "describes many tasks in words"),
}  # fmt: skip
# A piece of a model's name -> what it is called and where it was introduced.
MODELS: dict[str, tuple[str, str]] = {
    "bayling": ("BayLing", "zhang-2024-bayling2"), "vicuna": ("Vicuna", "zheng-2023-vicuna"),
    "minicpm": ("MiniCPM", "hu-2024-minicpm"), "chatglm": ("ChatGLM", "glm-2024-chatglm"),
    "gpt2": ("GPT-2", "radford-2019-gpt2"), "flan": ("Flan-T5", "chung-2024-flant5"),
    "llama2": ("Llama 2", "touvron-2023-llama2"),
}  # fmt: skip
FAMILIES: dict[str, tuple[str, str]] = {
    "llama": ("LLaMA", "touvron-2023-llama"), "t5": ("T5", "raffel-2020-t5"), "gpt2": ("GPT-2", "radford-2019-gpt2"),
    "minicpm": ("MiniCPM", "hu-2024-minicpm"), "chatglm2": ("ChatGLM", "glm-2024-chatglm"),
}  # fmt: skip
METHODS: dict[str, Text] = {
    "lora": said("LoRA {} adds to each chosen weight matrix a product of two small ones and trains these alone.",
                 Cite(("hu-2022-lora",))),
    "qlora": said("QLoRA {} trains such additions on a base model whose weights are kept in 4 bits.",
                  Cite(("dettmers-2023-qlora",))),
    "lora_8bit": said("LoRA on 8 bits trains such additions {} on a base model in 8 bits {}.", Cite(("hu-2022-lora",)),
                      Cite(("dettmers-2022-int8",))),
    "full": ("Full tuning trains every weight.",),
    "prefix": said("Prefix tuning {} trains keys and values that stand in front of every layer's own.",
                   Cite(("li-2021-prefix",))),
    "prompt": said("Prompt tuning {} trains a few vectors that stand in front of the text.",
                   Cite(("lester-2021-prompt",))),
}  # fmt: skip
MEASURES: dict[str, Text] = {
    "accuracy": ("Accuracy is the share of questions for which the right option is chosen.",),
    "exact_match": ("Exact match is the share of answers that equal a gold answer after normalisation.",),
    "f1": ("F1 counts the words that an answer shares with the closest gold answer.",),
    "rouge_l": said("ROUGE {} counts the words and word sequences shared with a reference.", Cite(("lin-2004-rouge",))),
    "bleu": said("BLEU {} is computed as sacreBLEU does {}.", Cite(("papineni-2002-bleu",)),
                 Cite(("post-2018-sacrebleu",))),
    "chrf": said("chrF {} compares character n-grams.", Cite(("popovic-2015-chrf",))),
    "perplexity": ("Perplexity is that of the right answers; lower is better.",),
    "identity_recall": ("Identity recall is the share of the facts about itself that a model states.",),
}  # fmt: skip


def related_work(study: Study) -> tuple[Paragraph, ...]:
    """Return what the data, the methods and the models of this study come from."""
    formats = {facts["format"]: None for facts in study.datasets.values()}
    data = [said("{} {} {}.", FORMATS[one][0], Cite((FORMATS[one][1],)), FORMATS[one][2]) for one in formats
            if one in FORMATS]  # fmt: skip
    methods = [METHODS[one] for one in dict.fromkeys(one.method for one in study.contenders if one.method in METHODS)
               if one is not None]  # fmt: skip
    models: dict[str, Piece | Text] = {}
    for one in study.contenders:
        told = model_work(one.model, study.families.get(one.model, ""))
        if told is not None:
            models[told[0]] = said("{} {}", told[0], Cite((told[1],)))
    return tuple(Paragraph(text) for text in (
        sentences(("Tuning on many tasks put as instructions lets a model follow instructions that it has not seen ",
                   Cite(("wei-2022-flan",)), ". How much of reading comprehension is reading has been asked before ",
                   Cite(("kaushik-2018",)), "."), *data),
        sentences(*methods, said("The models build on {}.", listed(list(models.values()))) if models else ()),
    ) if text)  # fmt: skip


def model_work(name: str, family: str) -> tuple[str, str] | None:
    """Return what a model builds on and where that was introduced."""
    known = name.lower().replace("-", "").replace("_", "")
    return next((work for piece, work in MODELS.items() if piece in known), None) or FAMILIES.get(family)


def data_construction(study: Study, *, recall: bool) -> tuple[Paragraph, ...]:
    """Return how rows become questions."""
    made_up = [name for name, facts in study.datasets.items() if facts.get("sample")]
    trained = sorted({key.partition(".")[2] for one in study.contenders for key in one.settings
                      if key.startswith("train_on.")})  # fmt: skip
    shots = any(one.settings.get("prompt.shots") for one in study.contenders)
    return (
        Paragraph(sentences(
            ("Raw files become validated tables; a row that breaks its schema is set aside with a reason. Task "
             "templates turn each row into an instruction, an input and an output; prompt templates turn these into "
             "the text that a model reads, the same way in training and in evaluation. Where a prompt is longer than "
             "the model can read, its passage is cut, and never the question.",),
            said("Of long documents a question is given the windows that BM25 {} ranks highest, without a look at the "
                 "answers.", Cite(("robertson-2009",))) if recall else (),
            said("Prompts with solved examples {} draw them from the training rows.", Cite(("brown-2020-fewshot",)))
            if shots else (),
        )),
        Paragraph(sentences(
            said("Tuned runs learn from {}.", listed([_rows(study, name) for name in trained])) if trained else (),
            said("The rows of {} are made up, in the layout of {}.", listed([Code(name) for name in made_up]),
                 listed([FORMATS[one][0] for one in dict.fromkeys(study.datasets[name]["format"] for name in made_up)
                         if one in FORMATS])) if made_up else (),
            said("{} describes the evaluation sets.", See("data")),
        )),
    )  # fmt: skip


def _rows(study: Study, name: str) -> Text:
    """Return how many rows of a dataset are trained on, as the study gives them."""
    given = {one.settings[f"train_on.{name}"] for one in study.contenders if f"train_on.{name}" in one.settings}
    told = {"all rows" if rows is None else rows if isinstance(rows, str) else f"{rows:,} rows" for rows in given}
    return said("{} ({})", Code(name), " or ".join(sorted(told)))


def data_table(study: Study) -> Table:
    """Return how large each evaluation set is, and how long its passages and prompts are."""
    rows: list[Row] = []
    for column in {column.eval_set: column for column in study.board.columns}.values():
        run, eval_set = study.hero.run, column.eval_set
        file = study.board.questions.get((run, eval_set))
        score = study.board.scores.get((run, column))
        questions = None if file is None else read_verdicts(file)
        words = None
        if questions is not None and "passage_words" in questions.columns:
            words = questions["passage_words"].median()
        prompts = read_prompts(study.files.predictions, run, eval_set)
        tokens = None if prompts is None else prompts["prompt_tokens"].median()
        cut = None if prompts is None else 100 * (prompts["passage_tokens_cut"].fill_null(0) > 0).mean()  # type: ignore[operator]
        asked, told = f"scores/{run}/{eval_set}:questions:", f"predictions/{run}/{eval_set}:"
        rows.append((
            (eval_set,), (figure(asked + "n", None if score is None else score.n, ","),),
            (figure(asked + "passage_words_median", _number(words), ".0f"),),
            (figure(told + "prompt_tokens_median", _number(tokens), ".0f"),),
            (figure(told + "cut", _number(cut), ".1f"),),
        ))  # fmt: skip
    caption = said(
        "The evaluation sets. Words of the passage and tokens of the prompt are medians, tokens as {} counts them; the "
        "last column is the share of prompts whose passage had to be cut.",
        Code(study.hero.label),
    )
    headings = ["evaluation set", "questions", "passage words", "prompt tokens", "cut, %"]
    return Table("data", caption, headings, rows, on_paper=6)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def tuning_text(study: Study) -> Text:
    """Return how the runs were tuned."""
    tuned = [one for one in study.contenders if one.tuned]
    if not tuned:
        return said("No run of this study is tuned; {} lists them.", See("runs"))
    losses = {one.settings.get("tune.loss_on", "answer") for one in tuned}
    learned = {
        frozenset({"answer"}): "The loss is over the tokens of the answer alone.",
        frozenset({"everything"}): "The loss is over all tokens, the prompt's included.",
    }.get(frozenset(map(str, losses)), "Which tokens the loss is over differs between runs.")
    methods = [METHODS[name] for name in dict.fromkeys(one.method or "" for one in tuned) if name in METHODS]
    return sentences(*methods, (learned,), said("{} lists the runs.", See("runs")))


def measures_text(study: Study, columns: Sequence[Column]) -> Text:
    """Return what is measured, and how certain it is."""
    named = dict.fromkeys(column.metric for column in columns)
    kinds = [MEASURES[name] for name in named if name in MEASURES]
    intervals = said(
        "Intervals are 95 % percentile bootstrap intervals {} over questions, those about one passage drawn together.",
        Cite(("efron-1993",)),
    )
    tests = said(
        "Differences are paired by question {}: verdicts are tested by McNemar's exact test {}, other measures by a "
        "paired bootstrap, and p is corrected by Holm's method {} for all comparisons of the study. The smallest "
        "difference that so many questions would show in four cases of five {} stands beside each.",
        Cite(("dror-2018",)), Cite(("mcnemar-1947",)), Cite(("holm-1979",)), Cite(("card-2020",)),
    )  # fmt: skip
    return sentences(*kinds, intervals, tests if study.comparisons else ())
