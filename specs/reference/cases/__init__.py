"""What the vectors are about: a module for each topic, each with functions that return what is written as JSON."""
