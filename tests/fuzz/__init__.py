"""Programs that look for bytes and notebooks which the trusted side cannot bear."""
