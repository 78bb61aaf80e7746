"""Every text of the pages, in one place, so that it can be translated."""

from wan22_app.web.words.app import *
from wan22_app.web.words.form import *
from wan22_app.web.words.machine import *
from wan22_app.web.words.outputs import *
from wan22_app.web.words.queue import *
