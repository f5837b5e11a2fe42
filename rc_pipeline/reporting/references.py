"""The works that reports refer to: data sets, models, methods, measures and tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_ACCENTS = {"é": r"{\'e}", "è": r"{\`e}", "ä": r"{\"a}", "ć": r"{\'c}", "ü": r"{\"u}"}


@dataclass(frozen=True)
class Reference:
    """One work; `kind` is BibTeX's, and `venue` stands in the field that this kind has for it."""

    kind: str
    authors: tuple[str, ...]
    title: str
    venue: str
    year: int
    pages: str = ""
    volume: str = ""
    number: str = ""
    url: str = ""
    others: bool = False


def _work(kind: str, authors: str, title: str, venue: str, year: int, **more: str) -> Reference:
    names = tuple(name.strip() for name in authors.split(";"))
    others = names[-1] == "others"
    return Reference(kind, names[:-1] if others else names, title, venue, year, others=others, **more)


_PAPER, _ARTICLE, _MISC, _BOOK = "inproceedings", "article", "misc", "book"
_ACL, _EMNLP = "Annual Meeting of the Association for Computational Linguistics", (
    "Conference on Empirical Methods in Natural Language Processing"
)  # fmt: skip
_ICLR = "International Conference on Learning Representations"
_NEURIPS = "Advances in Neural Information Processing Systems"
_ARXIV = "https://arxiv.org/abs/"

REFERENCES: dict[str, Reference] = {
    "huang-2019-cosmos": _work(
        _PAPER, "Huang, Lifu; Le Bras, Ronan; Bhagavatula, Chandra; Choi, Yejin",
        "Cosmos QA: Machine Reading Comprehension with Contextual Commonsense Reasoning", _EMNLP, 2019,
        pages="2391-2401"),
    "joshi-2017-triviaqa": _work(
        _PAPER, "Joshi, Mandar; Choi, Eunsol; Weld, Daniel; Zettlemoyer, Luke",
        "TriviaQA: A Large Scale Distantly Supervised Challenge Dataset for Reading Comprehension", _ACL, 2017,
        pages="1601-1611"),
    "rajpurkar-2016-squad": _work(
        _PAPER, "Rajpurkar, Pranav; Zhang, Jian; Lopyrev, Konstantin; Liang, Percy",
        "SQuAD: 100,000+ Questions for Machine Comprehension of Text", _EMNLP, 2016, pages="2383-2392"),
    "taori-2023-alpaca": _work(
        _MISC, "Taori, Rohan; Gulrajani, Ishaan; Zhang, Tianyi; Dubois, Yann; Li, Xuechen; Guestrin, Carlos; "
        "Liang, Percy; Hashimoto, Tatsunori B.", "Stanford Alpaca: An Instruction-following LLaMA Model", "GitHub",
        2023, url="https://github.com/tatsu-lab/stanford_alpaca"),
    "hendrycks-2021-mmlu": _work(
        _PAPER, "Hendrycks, Dan; Burns, Collin; Basart, Steven; Zou, Andy; Mazeika, Mantas; Song, Dawn; "
        "Steinhardt, Jacob", "Measuring Massive Multitask Language Understanding", _ICLR, 2021),
    "suzgun-2023-bbh": _work(
        _PAPER, "Suzgun, Mirac; Scales, Nathan; Schärli, Nathanael; Gehrmann, Sebastian; Tay, Yi; Chung, Hyung Won; "
        "Chowdhery, Aakanksha; Le, Quoc; Chi, Ed; Zhou, Denny; Wei, Jason",
        "Challenging BIG-Bench Tasks and Whether Chain-of-Thought Can Solve Them", "Findings of the " + _ACL[15:], 2023,
        pages="13003-13051"),
    "wang-2022-superni": _work(
        _PAPER, "Wang, Yizhong; Mishra, Swaroop; others",
        "Super-NaturalInstructions: Generalization via Declarative Instructions on 1600+ NLP Tasks", _EMNLP, 2022,
        pages="5085-5109"),
    "wei-2022-flan": _work(
        _PAPER, "Wei, Jason; Bosma, Maarten; Zhao, Vincent Y.; Guu, Kelvin; Yu, Adams Wei; Lester, Brian; Du, Nan; "
        "Dai, Andrew M.; Le, Quoc V.", "Finetuned Language Models Are Zero-Shot Learners", _ICLR, 2022),
    "hu-2022-lora": _work(
        _PAPER, "Hu, Edward J.; Shen, Yelong; Wallis, Phillip; Allen-Zhu, Zeyuan; Li, Yuanzhi; Wang, Shean; Wang, Lu; "
        "Chen, Weizhu", "LoRA: Low-Rank Adaptation of Large Language Models", _ICLR, 2022),
    "dettmers-2023-qlora": _work(
        _PAPER, "Dettmers, Tim; Pagnoni, Artidoro; Holtzman, Ari; Zettlemoyer, Luke",
        "QLoRA: Efficient Finetuning of Quantized LLMs", _NEURIPS, 2023),
    "dettmers-2022-int8": _work(
        _MISC, "Dettmers, Tim; Lewis, Mike; Belkada, Younes; Zettlemoyer, Luke",
        "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale", "arXiv:2208.07339", 2022,
        url=_ARXIV + "2208.07339"),
    "li-2021-prefix": _work(
        _PAPER, "Li, Xiang Lisa; Liang, Percy", "Prefix-Tuning: Optimizing Continuous Prompts for Generation", _ACL,
        2021, pages="4582-4597"),
    "lester-2021-prompt": _work(
        _PAPER, "Lester, Brian; Al-Rfou, Rami; Constant, Noah",
        "The Power of Scale for Parameter-Efficient Prompt Tuning", _EMNLP, 2021, pages="3045-3059"),
    "brown-2020-fewshot": _work(
        _PAPER, "Brown, Tom B.; Mann, Benjamin; Ryder, Nick; Subbiah, Melanie; others",
        "Language Models are Few-Shot Learners", _NEURIPS, 2020),
    "touvron-2023-llama": _work(
        _MISC, "Touvron, Hugo; Lavril, Thibaut; Izacard, Gautier; Martinet, Xavier; others",
        "LLaMA: Open and Efficient Foundation Language Models", "arXiv:2302.13971", 2023, url=_ARXIV + "2302.13971"),
    "touvron-2023-llama2": _work(
        _MISC, "Touvron, Hugo; Martin, Louis; Stone, Kevin; others",
        "Llama 2: Open Foundation and Fine-Tuned Chat Models", "arXiv:2307.09288", 2023, url=_ARXIV + "2307.09288"),
    "zheng-2023-vicuna": _work(
        _PAPER, "Zheng, Lianmin; Chiang, Wei-Lin; Sheng, Ying; Zhuang, Siyuan; others",
        "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena", _NEURIPS, 2023),
    "hu-2024-minicpm": _work(
        _MISC, "Hu, Shengding; Tu, Yuge; Han, Xu; others",
        "MiniCPM: Unveiling the Potential of Small Language Models with Scalable Training Strategies",
        "arXiv:2404.06395", 2024, url=_ARXIV + "2404.06395"),
    "glm-2024-chatglm": _work(
        _MISC, "Zeng, Aohan; Xu, Bin; Wang, Bowen; others",
        "ChatGLM: A Family of Large Language Models from GLM-130B to GLM-4 All Tools", "arXiv:2406.12793", 2024,
        url=_ARXIV + "2406.12793"),
    "radford-2019-gpt2": _work(
        _MISC, "Radford, Alec; Wu, Jeffrey; Child, Rewon; Luan, David; Amodei, Dario; Sutskever, Ilya",
        "Language Models are Unsupervised Multitask Learners", "OpenAI", 2019),
    "chung-2024-flant5": _work(
        _ARTICLE, "Chung, Hyung Won; Hou, Le; Longpre, Shayne; others",
        "Scaling Instruction-Finetuned Language Models", "Journal of Machine Learning Research", 2024, volume="25",
        number="70", pages="1-53"),
    "raffel-2020-t5": _work(
        _ARTICLE, "Raffel, Colin; Shazeer, Noam; Roberts, Adam; Lee, Katherine; Narang, Sharan; Matena, Michael; "
        "Zhou, Yanqi; Li, Wei; Liu, Peter J.",
        "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer",
        "Journal of Machine Learning Research", 2020, volume="21", number="140", pages="1-67"),
    "zhang-2024-bayling2": _work(
        _MISC, "Zhang, Shaolei; Zhang, Kehao; Fang, Qingkai; Guo, Shoutao; Zhou, Yan; Liu, Xiaodong; Feng, Yang",
        "BayLing 2: A Multilingual Large Language Model with Efficient Language Alignment", "arXiv:2411.16300", 2024,
        url=_ARXIV + "2411.16300"),
    "lin-2004-rouge": _work(
        _PAPER, "Lin, Chin-Yew", "ROUGE: A Package for Automatic Evaluation of Summaries",
        "Text Summarization Branches Out", 2004, pages="74-81"),
    "papineni-2002-bleu": _work(
        _PAPER, "Papineni, Kishore; Roukos, Salim; Ward, Todd; Zhu, Wei-Jing",
        "Bleu: A Method for Automatic Evaluation of Machine Translation", _ACL, 2002, pages="311-318"),
    "post-2018-sacrebleu": _work(
        _PAPER, "Post, Matt", "A Call for Clarity in Reporting BLEU Scores", "Conference on Machine Translation", 2018,
        pages="186-191"),
    "popovic-2015-chrf": _work(
        _PAPER, "Popović, Maja", "chrF: Character n-gram F-score for Automatic MT Evaluation",
        "Workshop on Statistical Machine Translation", 2015, pages="392-395"),
    "mcnemar-1947": _work(
        _ARTICLE, "McNemar, Quinn",
        "Note on the Sampling Error of the Difference Between Correlated Proportions or Percentages", "Psychometrika",
        1947, volume="12", number="2", pages="153-157"),
    "holm-1979": _work(
        _ARTICLE, "Holm, Sture", "A Simple Sequentially Rejective Multiple Test Procedure",
        "Scandinavian Journal of Statistics", 1979, volume="6", number="2", pages="65-70"),
    "efron-1993": _work(
        _BOOK, "Efron, Bradley; Tibshirani, Robert J.", "An Introduction to the Bootstrap", "Chapman & Hall", 1993),
    "dror-2018": _work(
        _PAPER, "Dror, Rotem; Baumer, Gili; Shlomov, Segev; Reichart, Roi",
        "The Hitchhiker's Guide to Testing Statistical Significance in Natural Language Processing", _ACL, 2018,
        pages="1383-1392"),
    "card-2020": _work(
        _PAPER, "Card, Dallas; Henderson, Peter; Khandelwal, Urvashi; Jia, Robin; Mahowald, Kyle; Jurafsky, Dan",
        "With Little Power Comes Great Responsibility", _EMNLP, 2020, pages="9263-9274"),
    "kaushik-2018": _work(
        _PAPER, "Kaushik, Divyansh; Lipton, Zachary C.",
        "How Much Reading Does Reading Comprehension Require? A Critical Investigation of Popular Benchmarks", _EMNLP,
        2018, pages="5010-5015"),
    "robertson-2009": _work(
        _ARTICLE, "Robertson, Stephen; Zaragoza, Hugo", "The Probabilistic Relevance Framework: BM25 and Beyond",
        "Foundations and Trends in Information Retrieval", 2009, volume="3", number="4", pages="333-389"),
}  # fmt: skip


def short(work: Reference) -> str:
    """Return a work as it is cited in a text."""
    names = [name.partition(",")[0] for name in work.authors]
    who = names[0] if len(names) == 1 and not work.others else f"{names[0]} and {names[1]}"
    return f"{names[0] + ' et al.' if len(names) > 2 or work.others else who}, {work.year}"


def as_text(work: Reference) -> str:
    """Return a work as it stands in a list."""
    names = [" ".join(reversed(name.split(", "))) for name in work.authors]
    who = ", ".join(names) + (" and others" if work.others else "")
    venue = work.venue if work.kind != _PAPER else f"In {work.venue}"
    volume = f" {work.volume}" + (f"({work.number})" if work.number else "") if work.volume else ""
    pages = f", pages {work.pages.replace('-', '–')}" if work.pages else ""
    return f"{who}. {work.year}. {work.title}. {venue}{volume}{pages}."


def bibtex(keys: Iterable[str]) -> str:
    """Return the works as a file for BibTeX."""
    return "\n".join(_entry(key, REFERENCES[key]) for key in sorted(keys))


def _entry(key: str, work: Reference) -> str:
    place = {_PAPER: "booktitle", _ARTICLE: "journal", _BOOK: "publisher", _MISC: "howpublished"}[work.kind]
    fields = {
        "author": " and ".join([*work.authors, *(["others"] if work.others else [])]),
        "title": f"{{{work.title}}}", place: work.venue, "year": str(work.year), "volume": work.volume,
        "number": work.number, "pages": work.pages.replace("-", "--"), "url": work.url,
    }  # fmt: skip
    lines = [f"  {name} = {{{_accented(value)}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{work.kind}{{{key},", *lines, "}", ""])


def _accented(text: str) -> str:
    return "".join(_ACCENTS.get(letter, letter) for letter in text).replace("&", r"\&")
