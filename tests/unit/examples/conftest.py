"""The fixtures of the test kit, also where Hookline was installed before it had them."""

from hookline_processor.testkit.pytest_plugin import fake_twilio

__all__ = ["fake_twilio"]
