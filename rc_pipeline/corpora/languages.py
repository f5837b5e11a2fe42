"""Names of languages for templates, and the letters they are written in."""

from __future__ import annotations

from dataclasses import dataclass

# code: name in English, name in Chinese, script. ISO 639 codes; a regional code falls back on its language.
_TABLE = """
af Afrikaans 南非荷兰语 Latin
am Amharic 阿姆哈拉语 Ethiopic
ar Arabic 阿拉伯语 Arabic
az Azerbaijani 阿塞拜疆语 Latin
be Belarusian 白俄罗斯语 Cyrillic
bg Bulgarian 保加利亚语 Cyrillic
bn Bengali 孟加拉语 Bengali
bo Tibetan 藏语 Tibetan
bs Bosnian 波斯尼亚语 Latin
ca Catalan 加泰罗尼亚语 Latin
cs Czech 捷克语 Latin
cy Welsh 威尔士语 Latin
da Danish 丹麦语 Latin
de German 德语 Latin
el Greek 希腊语 Greek
en English 英语 Latin
eo Esperanto 世界语 Latin
es Spanish 西班牙语 Latin
et Estonian 爱沙尼亚语 Latin
eu Basque 巴斯克语 Latin
fa Persian 波斯语 Arabic
fi Finnish 芬兰语 Latin
fr French 法语 Latin
ga Irish 爱尔兰语 Latin
gl Galician 加利西亚语 Latin
gu Gujarati 古吉拉特语 Gujarati
ha Hausa 豪萨语 Latin
he Hebrew 希伯来语 Hebrew
hi Hindi 印地语 Devanagari
hr Croatian 克罗地亚语 Latin
hu Hungarian 匈牙利语 Latin
hy Armenian 亚美尼亚语 Armenian
id Indonesian 印度尼西亚语 Latin
is Icelandic 冰岛语 Latin
it Italian 意大利语 Latin
ja Japanese 日语 Hiragana,Katakana,Han
ka Georgian 格鲁吉亚语 Georgian
kk Kazakh 哈萨克语 Cyrillic
km Khmer 高棉语 Khmer
ko Korean 韩语 Hangul
la Latin 拉丁语 Latin
lo Lao 老挝语 Lao
lt Lithuanian 立陶宛语 Latin
lv Latvian 拉脱维亚语 Latin
lzh Classical_Chinese 文言文 Han
mk Macedonian 马其顿语 Cyrillic
mn Mongolian 蒙古语 Cyrillic,Mongolian
mr Marathi 马拉地语 Devanagari
ms Malay 马来语 Latin
mt Maltese 马耳他语 Latin
my Burmese 缅甸语 Myanmar
ne Nepali 尼泊尔语 Devanagari
nl Dutch 荷兰语 Latin
no Norwegian 挪威语 Latin
pa Punjabi 旁遮普语 Gurmukhi
pl Polish 波兰语 Latin
pt Portuguese 葡萄牙语 Latin
ro Romanian 罗马尼亚语 Latin
ru Russian 俄语 Cyrillic
si Sinhala 僧伽罗语 Sinhala
sk Slovak 斯洛伐克语 Latin
sl Slovenian 斯洛文尼亚语 Latin
sq Albanian 阿尔巴尼亚语 Latin
sr Serbian 塞尔维亚语 Cyrillic,Latin
sv Swedish 瑞典语 Latin
sw Swahili 斯瓦希里语 Latin
ta Tamil 泰米尔语 Tamil
te Telugu 泰卢固语 Telugu
th Thai 泰语 Thai
tl Tagalog 他加禄语 Latin
tr Turkish 土耳其语 Latin
ug Uyghur 维吾尔语 Arabic
uk Ukrainian 乌克兰语 Cyrillic
ur Urdu 乌尔都语 Arabic
uz Uzbek 乌兹别克语 Latin,Cyrillic
vi Vietnamese 越南语 Latin
yue Cantonese 粤语 Han
zh Chinese 中文 Han
zh-hans Simplified_Chinese 简体中文 Han
zh-hant Traditional_Chinese 繁体中文 Han
"""


@dataclass(frozen=True)
class Language:
    """A language as templates name it; `scripts` is empty where the letters are not known."""

    code: str
    name: str
    name_zh: str
    scripts: tuple[str, ...] = ()


def _known() -> dict[str, Language]:
    rows = (line.split() for line in _TABLE.split("\n") if line)
    return {
        code: Language(code, name.replace("_", " "), name_zh, tuple(scripts.split(",")))
        for code, name, name_zh, scripts in rows
    }


LANGUAGES = _known()


def language(code: str) -> Language:
    """Return what is known of a code such as en, zh or pt-BR; an unknown code is its own name."""
    folded = code.lower()
    known = LANGUAGES.get(folded) or LANGUAGES.get(folded.split("-")[0])
    return Language(code, known.name, known.name_zh, known.scripts) if known else Language(code, code, code)
