"""Runs everything on one machine: Envoy, page, gateway, detector and classifier.

``parts``     what is started, with which flags, and how its health is asked (pure)
``stack``     starts, watches, restarts and stops the parts
``settings``  the launcher's flags
"""

from emotion_local.parts import Part, plan
from emotion_local.settings import LocalSettings
from emotion_local.stack import Stack, StartError

__all__ = ["LocalSettings", "Part", "Stack", "StartError", "plan"]
