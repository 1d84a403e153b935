"""Checks the sources of kith against the rules of its design. See checks.py for each rule."""
import unittest

import checks
import headers
import source


class Tree(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sources = source.read_tree()

    def report(self, found):
        if found:
            self.fail("\n" + "\n".join(found))

    def per_file(self, check):
        self.report([message for item in self.sources for message in check(item)])

    def test_sources_are_found(self):
        self.assertGreater(len(self.sources), 20)

    def test_includes_follow_the_diagram(self):
        self.per_file(checks.include_arrows)

    def test_foreign_includes(self):
        self.per_file(checks.foreign_includes)

    def test_few_files_include_beast(self):
        self.report(checks.few_beast_files(self.sources))

    def test_every_source_is_built(self):
        self.report(checks.dead_files(self.sources, source.read_lists()))

    def test_cores_call_nothing_banned(self):
        self.per_file(checks.banned_calls)

    def test_coroutines_only_in_node(self):
        self.per_file(checks.coroutine_places)

    def test_co_await_operands(self):
        self.per_file(checks.co_await_operands)

    def test_sizes(self):
        self.per_file(checks.sizes)

    def test_scripts_fit_too(self):
        self.report([message for item in source.read_tree((".py", ".sh"))
                     for message in checks.columns(item, checks.MAX_SCRIPT_COLUMNS)])

    def test_links_of_the_documents(self):
        documents = source.read_documents()
        self.assertGreater(len(documents), 3)
        self.report([message for item in documents for message in checks.broken_links(item)])

    def test_nothing_unfinished(self):
        self.per_file(checks.unfinished)

    def test_words(self):
        self.per_file(checks.words)

    def test_unit_tests_do_not_wait(self):
        self.per_file(checks.no_waiting_in_unit_tests)

    def test_headers_have_a_guard(self):
        self.per_file(checks.headers_have_a_guard)

    def test_headers_compile_alone(self):
        self.report(headers.check(self.sources))


if __name__ == "__main__":
    unittest.main()
