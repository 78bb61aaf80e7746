"""What a prompt is about: enough to choose a fitting camera and light, no more."""

import re
from enum import StrEnum


class Kind(StrEnum):
    """The kind of picture that a prompt asks for."""

    ACTION = "action"
    PERSON = "person"
    FIGURE = "figure"
    """A person in a landscape."""
    ANIMAL = "animal"
    VEHICLE = "vehicle"
    OBJECT = "object"
    LANDSCAPE = "landscape"
    ANY = "any"


PERSON = (
    r"wom[ae]n|m[ae]n|girls?|boys?|child(?:ren)?|kids?|toddlers?|bab(?:y|ies)|persons?|people|lady"
    r"|ladies|guys?|faces?|portrait|king|queen|princess|prince|soldiers?|dancers?|chefs?|doctors?"
    r"|astronauts?|knights?|warriors?|samurai|actors?|actress|bride|groom|couple|friends?|father"
    r"|mother|grandm\w+|grandf\w+|singer|musician|pianist|farmer|sailor|teacher|student|he|she"
    r"|his|her",
    "女人|男人|女孩|男孩|女子|男子|女性|男性|少女|少年|孩子|小孩|婴儿|老人|人物|人像|肖像|脸"
    "|姑娘|先生|女士"
    "|舞者|士兵|武士|骑士|厨师|医生|宇航员|情侣|母亲|父亲|他|她",
)  # fmt: skip
ACTION = (
    r"(?:sprint|jump|leap|chas|fight|explod|crash|skat|surf|danc|gallop|dash|div|flip|battl"
    r"|attack|rac"
    r"|kick|punch)(?:e?s|ing|ed)|run|runs|running|race|parkour|explosion|battle|fight|boxing"
    r"|skiing|skis"
    r"|flies|flying|chase|stunts?|dribbl\w+",
    "奔跑|跑步|冲刺|跳跃|跳舞|舞蹈|追逐|打斗|战斗|爆炸|飞行|飞翔|赛车|滑雪|滑板|冲浪|疾驰|跑酷"
    "|拳击|跃起",
)  # fmt: skip
ANIMAL = (
    r"(?:cat|dog|horse|bird|kitten|pupp(?:y|ie)|lion|tiger|bear|fox|wol(?:f|ve)|rabbit|deer"
    r"|elephant"
    r"|whale|dolphin|shark|fish|eagle|owl|parrot|butterfl(?:y|ie)|bee|monkey|panda|dragon|cow|sheep"
    r"|goat|pig|duck|squirrel|hamster|donkey|penguin|turtle|frog|snake|octopus|jellyfish"
    r"|animal)(?:e?s)?",
    "猫|狗|马|鸟|狮子|老虎|熊|狐狸|狼|兔|鹿|大象|鲸|海豚|鲨鱼|鱼|鹰|蝴蝶|蜜蜂|猴|企鹅|龙|牛|羊"
    "|松鼠|动物",
)  # fmt: skip
OBJECT = (
    r"(?:ball|bottle|cup|mug|glass|watch|phone|book|flower|vase|apple|cake|burger|pizza"
    r"|bowl|plate|coffee|tea|bread|fruit|chair|table|clock|shoe|sneaker|ring|necklace|perfume|toy"
    r"|robot|candle|kite|lamp|guitar|piano|product|food|dish|noodles?|dumpling|cube|sphere|crystal"
    r"|statue)(?:e?s)?|roses|(?:a|the|red|white|single) rose",
    "球|瓶|杯|手表|手机|书|花|苹果|蛋糕|汉堡|披萨|碗|咖啡|茶|面包|水果|椅子|桌|钟|鞋|戒指|项链"
    "|香水|玩具"
    "|机器人|蜡烛|风筝|吉他|钢琴|产品|食物|美食|面条|雕像|水晶",
)  # fmt: skip
VEHICLE = (
    r"(?:car|truck|bus|train|tram|motorcycle|motorbike|bicycle|bike|boat|ship|yacht|ferry"
    r"|plane|aircraft"
    r"|airplane|helicopter|rocket|spaceship|tractor|taxi|van|lorr(?:y|ie)|submarine)(?:e?s)?",
    "汽车|卡车|公交|火车|列车|电车|摩托|自行车|船|飞机|直升机|火箭|飞船|潜艇",
)  # fmt: skip
LANDSCAPE = (
    r"(?:mountain|valley|sea|ocean|beach|forest|desert|lake|river|sky|skies|cloud|city|cities"
    r"|skyline"
    r"|street|village|(?<!depth of )field|meadow|waterfall|island|canyon|landscape|horizon"
    r"|coast|hill|glacier"
    r"|garden|park|jungle|cliff|lighthouse|bridge|castle|ruin|town|harbou?r|volcano"
    r"|savannah?)(?:e?s)?"
    r"|scenery",
    "山|谷|海|沙滩|森林|树林|沙漠|湖|河|天空|云|城市|天际线|街|村|田野|草原|草地|瀑布|岛|峡谷"
    "|风景|地平线"
    "|海岸|冰川|花园|公园|丛林|悬崖|灯塔|桥|城堡|火山",
)  # fmt: skip

INDOOR = (
    r"indoors?|inside|(?:bed|bath|living |class|dining |ball)?rooms?|kitchen|office"
    r"|hall(?:way)?|caf[eé]"
    r"|bar|restaurant|library|church|museum|corridor|shop|store|desk|interior|floor|sofa|couch"
    r"|attic"
    r"|gym|theat(?:er|re)|window",
    "室内|房间|卧室|客厅|厨房|办公室|大厅|咖啡馆|酒吧|餐厅|图书馆|教堂|博物馆|走廊|商店|教室"
    "|沙发|地板|窗",
)  # fmt: skip
CITY = (
    r"city|cities|streets?|alley|roads?|downtown|urban|skyscrapers?|subway|buildings?|traffic"
    r"|skyline",
    "城市|街|小巷|马路|公路|都市|高楼|地铁|建筑|天际线",
)
WEATHER = (
    r"rain(?:s|ing|y)?|storm(?:y)?|snow(?:s|ing|y|fall)|fog(?:gy)?|mist(?:y)?|cloudy|hazy|blizzard",
    "雨|暴风|下雪|雪花|雾|多云",
)
NO_DAYLIGHT = (
    r"(?:outer |deep )?space|galax(?:y|ies)|nebula|planets?|space(?:ship|craft|station)|underwater"
    r"|under water|deep sea|caves?|abstract|void|(?:black|white|plain|grey|gray) background"
    r"|particles|(?:on|the|a) stage|concert|night ?club|tunnel|basement",
    "太空|宇宙|银河|星云|星球|飞船|水下|深海|洞穴|抽象|纯色背景|黑色背景|白色背景|粒子|舞台|音乐会|隧道|地下室",
)
"""Places where day and daylight mean nothing."""

MOTION = (
    r"(?:walk|run|roll|turn|fall|rise|swim|dance|jump|leap|move|open|drift|float|spin|rotate"
    r"|sway|wave"
    r"|blow|flow|smile|laugh|talk|speak|sing|eat|drink|ride|drive|climb|pour|burn|grow|melt|bloom"
    r"|shake|blink|breathe|nod|play|bounce|slide|glide|swing|fly|flutter|splash|lift|throw"
    r"|catch|push"
    r"|pull|reach|bend|stretch|kick|hit|break|explode|race|chase|fight|transform|approach"
    r"|enter|leave"
    r"|pass|cross|raise|lower|lean|kiss|hug|clap|type|paint|cook|stir|chop|whip|flicker|spread"
    r"|crash|dive|hover|land|soar|stroll|march|crawl|hop|skip|sprint|gallop|surf|skate|ski|row|sail"
    r"|step|scatter|swirl|ripple|tremble|shiver|wink|yawn|stare|gaze|peek|wag|purr|bark|roar)s?"
    r"|(?:flies|carries|cries|dries|reaches|catches|pushes|passes|crosses|kisses|splashes|crashes"
    r"|stretches|marches)|movements?|motions?",
    "奔跑|跑步|跳舞|行走|飞翔|走|跑|跳|飞|转|游|滚|舞|落|升|飘|流|笑|哭|说话|唱|吃|喝|骑|驶|爬"
    "|倒入|燃烧|生长|融化|绽放|摇|眨|呼吸"
    "|点头|弹|滑|荡|挥|抬|扔|抓|伸|踢|打|追|穿过|靠近|进入|离开|拥抱|翻|动作|运动|拂动|奔|冲"
    "|闪烁|移动",
)  # fmt: skip
ONGOING = r"[a-z]{2,}ing"
"""An English verb that goes on, unless it is one of the next."""
STILL = frozenset(
    re.findall(
        r"\S+",
        """
        morning evening ceiling building buildings king ring string wing spring painting lighting
        thing something nothing anything everything wedding clothing during bring darling earring
        sibling
        standing sitting lying wearing holding looking being having living dining striking stunning
        interesting amazing charming boring setting framing grading pudding viking sterling duckling
        sapling dwelling parking shopping including containing featuring resembling
        breathtaking outstanding establishing leading missing tracking panning trucking following
        dollying zooming pushing pulling tilting orbiting
        """,
    )
)
"""Words in -ing that name a thing, a state or the camera's work."""
