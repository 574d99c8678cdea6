"""The demo: the whole product on one machine, with a practice, its PIMS and its website to look at."""
