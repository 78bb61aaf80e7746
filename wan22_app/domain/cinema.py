"""The words of film: what a prompt can say about the picture, and how to recognise it.

Dimensions and names follow Wan2.2's own guides to its prompts (docs/enhancer.md names them). Each
line is a value of a dimension with patterns for English and Chinese; patterns are matched against
text that ``reading.plain`` has folded, and within a dimension the first line that matches wins.
"""

from enum import StrEnum

from wan22_app.domain.values import Value


class Dimension(StrEnum):
    """One thing that a prompt can settle; the value is its name for people."""

    MOTION = "motion"
    MOVEMENT = "camera movement"
    SHOT = "shot size"
    ANGLE = "camera angle"
    SOURCE = "light source"
    LIGHT = "quality of light"
    TIME = "time of day"
    LENS = "lens"
    STYLE = "style"
    QUALITY = "picture quality"
    COMPOSITION = "composition"
    COLOUR = "colours"
    SPEED = "speed"
    EFFECT = "effect"


class Term(Value):
    """A value of a dimension; ``name`` is unique over all dimensions."""

    dimension: Dimension
    name: str
    english: str
    chinese: str


_SLOWLY = r"(?:slowly |gently |quickly |smoothly )?"
_LIT = r"(?:ing|s|ed)?"

_TABLE: dict[Dimension, dict[str, tuple[str, str]]] = {
    Dimension.MOVEMENT: {
        "static": (
            r"(?:static|still|fixed|stationary|motionless|locked(?:[- ]off)?) (?:camera|shot|frame)"
            r"|(?:no|without) camera (?:movement|motion)|tripod shot|on a tripod"
            r"|camera (?:stays|remains|is|holds) (?:still|static|fixed|steady)",
            "固定镜头|静止镜头|固定机位|镜头固定|镜头静止|定镜|静态镜头",
        ),
        "push": (
            rf"(?:dolly|push|zoom)(?:es|s|ing)?[- ]{_SLOWLY}(?:in|forward|closer)|crash zoom"
            rf"|camera {_SLOWLY}(?:moves|moving|glides|advances) (?:in|forward|closer)",
            "镜头[^，。]{0,4}(?:推进|推近|前推|拉近)|推镜|推进镜头|镜头推",
        ),
        "pull": (
            rf"(?:dolly|pull|zoom)(?:es|s|ing)?[- ]{_SLOWLY}(?:out|back|away)"
            rf"|camera {_SLOWLY}(?:moves|moving|retreats) (?:back|backwards?|away)",
            "镜头[^，。]{0,4}(?:拉远|后拉|拉开|后退)|拉镜|拉远镜头",
        ),
        "pan-left": (
            rf"pan(?:s|ning)? {_SLOWLY}(?:to the )?left|camera {_SLOWLY}moves (?:to the )?left",
            "镜头[^，。]{0,4}(?:左移|左摇|向左)|左摇镜头",
        ),
        "pan-right": (
            rf"pan(?:s|ning)? {_SLOWLY}(?:to the )?right|camera {_SLOWLY}moves (?:to the )?right",
            "镜头[^，。]{0,4}(?:右移|右摇|向右)|右摇镜头",
        ),
        "rise": (
            rf"(?:tilt|crane|boom)(?:s|ing)? {_SLOWLY}up(?:wards?)?|camera {_SLOWLY}rises",
            "镜头[^，。]{0,4}(?:上摇|上移|上升|升起)|上摇镜头",
        ),
        "sink": (
            rf"(?:tilt|crane|boom)(?:s|ing)? {_SLOWLY}down(?:wards?)?|camera {_SLOWLY}descends",
            "镜头[^，。]{0,4}(?:下摇|下移|下降)|下摇镜头",
        ),
        "track": (
            rf"(?:tracking|follow(?:ing)?|trucking) shot|camera {_SLOWLY}(?:follows|tracks)"
            r"|steadicam",
            "跟随镜头|跟踪镜头|跟拍|镜头[^，。]{0,4}(?:跟随|跟着)",
        ),
        "orbit": (
            rf"(?:arc|orbit(?:ing|al)?|360(?:[- ]degree)?) shot|camera {_SLOWLY}(?:orbits|circles)",
            "环绕运镜|环绕镜头|环绕拍摄|镜头[^，。]{0,4}环绕",
        ),
        "handheld": (r"hand-?held|shaky cam(?:era)?", "手持镜头|手持拍摄|手持摄影"),
        "flight": (
            r"fpv|drone (?:shot|footage|video)|fly-?(?:over"
            r"|through)",
            "无人机|穿越机|飞越镜头",
        ),
        "moving": (
            r"(?:crane|jib|dolly|panning|pan|compound) shot|(?:slow|whip|quick) (?:pan|tilt|zoom)"
            rf"|camera (?:pans|tilts|zooms)|camera {_SLOWLY}(?:moves|glides|drifts|slides|sweeps)"
            r"|camera (?:movement|motion)|pan(?:s|ning)? across",
            "运镜|摇镜|移镜|镜头[^，。]{0,4}(?:移动|摇动|旋转)|复合运镜",
        ),
    },
    Dimension.SHOT: {
        "extreme-close": (r"extreme close[- ]?ups?|macro shot|detail shot", "极端特写|大特写|微距"),
        "medium-close": (r"medium close[- ]?ups?", "中近景"),
        "close": (r"close[- ]?ups?|head ?shot|close shot", "特写|近景"),
        "medium-wide": (r"medium[- ](?:wide|long|full)(?: shot)?|cowboy shot", "中全景|中远景"),
        "medium": (r"(?:medium|mid)[- ]shot|waist[- ]up", "中景"),
        "extreme-wide": (
            r"extreme (?:wide|long)(?: shot)?|establishing shot|panoramic|panorama",
            "极端全景|大远景|大全景|全景图",
        ),
        "wide": (
            r"wide[- ](?:angle )?(?:shot|view)|(?:long|full(?:[- ]body)?) shot",
            "全景|远景|全身镜头",
        ),
        "group": (r"(?:two|group|crowd)[- ]shot", "双人镜头|群像镜头"),
    },
    Dimension.ANGLE: {
        "low-angle": (r"low[- ]angle|worm'?s[- ]eye", "低角度|仰拍|仰视"),
        "high-angle": (r"high[- ]angle", "高角度|俯拍"),
        "overhead": (r"overhead|top[- ]down|bird'?s[- ]eye", "俯视|顶视|鸟瞰"),
        "aerial": (r"aerial", "航拍|空中视角"),
        "eye-level": (r"eye[- ]level", "平视|视平"),
        "dutch": (r"dutch[- ]angle|tilted frame|canted angle", "倾斜角度|荷兰角"),
        "shoulder": (r"over[- ]the[- ]shoulder", "过肩"),
        "own-eyes": (r"pov|point[- ]of[- ]view|first[- ]person", "第一人称|主观视角|主观镜头"),
    },
    Dimension.SOURCE: {
        "moon": (r"moon ?light|moonlit", "月光"),
        "fluorescent": (r"fluorescent", "荧光|日光灯"),
        "fire": (
            r"fire ?light|firelit|candle ?(?:light|lit)|torch ?light"
            r"|candles",
            "火光|烛光|篝火",
        ),
        "neon": (r"neon", "霓虹"),
        "overcast": (r"overcast", "阴天"),
        "practical": (
            rf"practical light{_LIT}|lamp ?light|lamplit|street ?(?:light|lamp)s?|lanterns?",
            "实用光|灯光|路灯|灯笼",
        ),
        "artificial": (
            rf"(?:artificial|studio|stage|led) light{_LIT}|spot ?light(?:s|ed)?|soft ?box",
            "人工光|舞台光|聚光灯|棚拍",
        ),
        "mixed": (rf"mixed light{_LIT}", "混合光"),
        "sun": (
            rf"sun(?:light|lit|ny|shine|beams?)|sun ?rays|day ?light|(?:natural"
            rf"|window) light{_LIT}",
            "日光|阳光|晴天光|自然光|窗光",
        ),
    },
    Dimension.LIGHT: {
        "soft": (
            r"(?:soft|gentle|diffused?)(?:ly)?[- ](?:\w+[- ])?(?:light"
            r"|lit)\w*",
            "柔光|柔和的?光",
        ),
        "hard": (r"(?:hard|harsh)[- ](?:\w+[- ])?light\w*", "硬光|强光"),
        "high-key": (r"high[- ]key", "高调"),
        "low-key": (r"low[- ]key|chiaroscuro", "低调光|明暗对照"),
        "high-contrast": (r"high[- ]contrast", "高对比"),
        "low-contrast": (r"low[- ]contrast", "低对比"),
        "edge": (
            rf"(?:edge|rim)[- ]light{_LIT}|back(?:lit|[- ]?light{_LIT})|silhouettes?",
            "边缘光|轮廓光|背光|逆光|剪影",
        ),
        "side": (rf"side[- ]?(?:light{_LIT}|lit)", "侧光"),
        "top": (rf"top[- ]light{_LIT}", "顶光"),
        "under": (rf"under[- ]?light{_LIT}", "底光"),
        "rays": (r"volumetric|god rays|light (?:shafts|beams)", "体积光|丁达尔|光束"),
        "dramatic": (rf"(?:dramatic|cinematic|moody) light{_LIT}", "戏剧光|电影光"),
    },
    Dimension.TIME: {
        "dawn": (r"dawn|sunrise|daybreak|early morning", "黎明|日出|清晨|拂晓|破晓"),
        "dusk": (
            r"dusk|sunset|twilight|(?:golden|blue|magic) hour|evening",
            "黄昏|日落|傍晚|夕阳|暮色|黄金时刻",
        ),
        "night": (r"night(?:time|fall|s)?|midnight|nocturnal|after dark", "夜晚|夜间|深夜|午夜|夜"),
        "day": (
            r"day ?time|midday|noon|(?:after|fore)noon|morning|broad daylight|by day"
            r"|(?:during|in) the day|(?:sunny|bright|rainy|cloudy|clear|summer|winter|spring|autumn"
            r"|hot|cold|windy|snowy|foggy) day",
            "白天|白昼|中午|正午|上午|下午|早晨|早上",
        ),
    },
    Dimension.LENS: {
        "shallow": (
            r"shallow (?:depth of field|focus)|bokeh|blurr(?:ed|y) background",
            "浅景深|背景虚化|散景",
        ),
        "deep": (r"deep (?:focus|depth of field)", "深景深|大景深"),
        "fisheye": (r"fish-?eye", "鱼眼"),
        "wide-lens": (r"(?:ultra[- ])?wide[- ]angle|(?:1[0-9]|2[0-9]) ?mm", "广角"),
        "telephoto": (
            r"telephoto|long[- ](?:focus |focal[- ]length )?lens|(?:85|100|135|200|300|400) ?mm",
            "长焦|望远镜头",
        ),
        "medium-lens": (r"medium (?:focal[- ]length )?lens|(?:35|40|50) ?mm", "中焦"),
        "macro": (r"macro", "微距"),
        "special": (r"anamorphic|tilt[- ]shift|rack focus", "变形宽银幕|移轴|移焦"),
    },
    Dimension.COLOUR: {
        "mono": (
            r"black (?:and|&) white(?! (?:cat|dog|cow|kitten|puppy|horse|bird|panda|fur|stripe|tile"
            r"|dress|shirt|check|chess))|black-and-white|b&w|monochrome|gr[ae]yscale",
            "黑白|单色",
        ),
        "desaturated": (r"desaturated|(?:muted|pale|faded) colou?rs?", "低饱和|褪色"),
        "saturated": (
            r"saturated|(?:vivid|vibrant|rich|bold)(?: \w+)? colou?rs?|vibrant|colou?rful",
            "高饱和|鲜艳|色彩斑斓|五彩",
        ),
        "mixed-colours": (r"mixed colou?rs|teal and orange", "混合色调"),
        "warm": (r"warm (?:colou?rs?|tones?|palette|light\w*)", "暖色|暖调|暖光"),
        "cool": (r"(?:cool|cold) (?:colou?rs?|tones?|palette|light\w*)", "冷色|冷调|冷光"),
        "other-colours": (r"pastel|sepia|colou?r grad\w+", "粉彩|复古色调"),
    },
    Dimension.COMPOSITION: {
        "centred": (
            r"cent(?:er|re)(?:ed|d)?[- ](?:composition|frame"
            r"|framing)",
            "中心构图|居中构图",
        ),
        "balanced": (r"(?:balanced|symmetrical) (?:composition|framing)", "平衡构图|对称构图"),
        "aside": (
            r"(?:left|right)[- ](?:heavy|weighted)|short[- ]side|rule of thirds|negative space",
            "侧重构图|短边构图|三分法|留白",
        ),
    },
    Dimension.STYLE: {
        "drawn": (
            r"anime|manga|cartoon|comic (?:book|strip|style)|illustration|water ?colou?r"
            r"|(?:oil|ink)[- ]?\w* ?painting"
            r"|painterly|line art|pencil drawing|sketch|2d|pixel art|cel[- ]shaded|ukiyo-e"
            r"|hand[- ]drawn",
            "动漫|动画|漫画|卡通|插画|水彩|油画|水墨|素描|手绘|像素风|二次元|国画",
        ),
        "rendered": (
            r"3d|cgi|clay(?:mation)?|stop[- ]motion|felt style|voxel|low[- ]poly",
            "三维|粘土|黏土|定格动画|毛毡|体素|木偶",
        ),
        "realistic": (
            r"(?:photo|hyper)?-?realis(?:tic|m)|lifelike|live[- ]action|documentary",
            "写实|真实感|照片级|纪录片|实拍",
        ),
        "filmic": (
            r"cinematic|filmic|film[- ]noir|noir|vintage|retro|vhs|(?:cyber|steam)punk|surreal"
            r"|movie (?:style|look)|film (?:style|look)",
            "电影感|电影风格|电影质感|胶片|复古|赛博朋克|蒸汽朋克|超现实|废土",
        ),
        "other-style": (r"(?!hair)[a-z]+[- ]style", "风格"),
    },
    Dimension.QUALITY: {
        "fine": (
            r"(?:high|best|top) quality|masterpiece|(?:ultra|highly|richly|finely)[- ]detailed"
            r"|(?:fine|sharp|crisp) (?:details?|focus)|[48]k|uhd|hdr|(?:high|ultra) definition"
            r"|high[- ]res(?:olution)?|natural exposure",
            "高清|超清|高质量|最佳质量|杰作|细节(?:清晰|丰富)|曝光自然|画质",
        ),
    },
    Dimension.SPEED: {
        "slow": (r"slow[- ]mo(?:tion)?|high[- ]speed camera", "慢动作|慢镜头|升格"),
        "fast": (r"time[- ]?lapse|hyper[- ]?lapse|fast[- ]motion|sped[- ]up", "延时|快进|快动作"),
    },
    Dimension.EFFECT: {
        "effect": (
            r"lens flares?|film grain|motion blur|light leaks?|vignette|double exposure"
            r"|split screen",
            "镜头光晕|胶片颗粒|动态模糊|漏光|双重曝光|分屏",
        ),
    },
}

TERMS: tuple[Term, ...] = tuple(
    Term(dimension=dimension, name=name, english=english, chinese=chinese)
    for dimension, values in _TABLE.items()
    for name, (english, chinese) in values.items()
)

MOVING = frozenset(_TABLE[Dimension.MOVEMENT]) - {"static"}
"""Every camera movement that moves."""

_NEAR = frozenset({"extreme-close", "medium-close", "close"})
_FAR = frozenset({"wide", "extreme-wide", "medium-wide"})


def _pair(one: str, other: str) -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(one.split()), frozenset(other.split())


CONFLICTS: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (frozenset({"static"}), MOVING),
    (_NEAR, _FAR),
    _pair("push", "pull"),
    _pair("pan-left", "pan-right"),
    _pair("rise", "sink"),
    _pair("low-angle", "high-angle overhead aerial"),
    _pair("eye-level", "overhead aerial"),
    _pair("day", "night"),
    _pair("dawn", "dusk"),
    _pair("sun", "night"),
    _pair("moon", "day"),
    _pair("soft", "hard"),
    _pair("high-key", "low-key"),
    _pair("high-contrast", "low-contrast"),
    _pair("mono", "saturated warm cool"),
    _pair("warm", "cool"),
    _pair("saturated", "desaturated"),
    _pair("shallow", "deep"),
    _pair("wide-lens fisheye", "telephoto macro"),
    _pair("realistic", "drawn"),
    _pair("slow", "fast"),
)
"""Values that one picture cannot have at the same moment."""

VACE = (
    r"vace\b|in-?paint\w*|out-?paint\w*|control ?net|depth (?:map|control)|pose (?:control"
    r"|sequence)"
    r"|(?:face|swap|move|animate|expand|reference)[- ]anything|(?:face|head|background)[- ]swap"
    r"|swap the (?:face|head|background)|reference (?:images?|videos?)|source videos?|optical flow"
    r"|scribble|colori[sz]e the video|mask(?:ed)? (?:area|region|video)|extend the (?:video|clip)"
    r"|first frame|last frame|局部重绘|扩图|参考图|参考视频|深度图|姿态控制|光流|换脸|换背景"
)
"""Instructions of VACE, the editing model of the family; no entry of the catalogue follows them."""
