"""hsadmin.yaml → a frozen Config, or one sentence on why not.

catalogue   every key once: name, kind, default, help
kinds       the types of values: what is allowed, in words, and how it is read
listen      the four listener forms, as values
shape       Config and its sections: what the rest of the program sees
source      the file's text, and what stands where in it
rules       combinations that cannot be
load        puts these together; options of the command line; the trial
example     renders contrib/hsadmin.example.yaml
describe    a Config in lines for a person
"""

from __future__ import annotations

from hsadmin.config.describe import describe
from hsadmin.config.listen import Kind, Listen
from hsadmin.config.load import Options, load, parse, trial
from hsadmin.config.shape import Config, PublicUrl, TlsMode

__all__ = ["Config", "Kind", "Listen", "Options", "PublicUrl", "TlsMode", "describe", "load", "parse", "trial"]
