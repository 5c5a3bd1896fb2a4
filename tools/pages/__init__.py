"""Pages of the documentation that are made of the code when the site is built: kinds, settings, reasons."""
