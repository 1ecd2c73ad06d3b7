"""Pure evaluation of events against triggers: no I/O, no clock, no Ray. Imports models and errors alone."""
