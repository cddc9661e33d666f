import both.english
import both.german
import words


def handler(event, context):
    return [words.MORNING, both.english.NAME, both.german.NAME]
