-- Views and macros over scored questions; docs/error-analysis.md has what each is for, and queries.
-- Run at every publish over the views of the lake, in this order.

-- TriviaQA's way to compare answers, as rc_pipeline/scoring/trivia.py has it: lower case, ASCII punctuation and four
-- quotes to a space, articles dropped, white space folded. (All but one letter: lower() knows no final sigma.)
CREATE MACRO spaced(said) AS regexp_replace(
    lower(replace(said, 'İ', 'i̇')), '[!-/:-@\[-`{-~‘’´\s\p{Z}\x{0b}\x{1c}-\x{1f}\x{85}]', ' ', 'g');

-- An article may also end at a sign that is no ASCII, which is rare; the slow way is for those. Two passes, for
-- articles that stand side by side.
CREATE MACRO odd_article(text) AS regexp_matches(text,
    '[^\p{L}\p{N} ](a|an|the)([^\p{L}\p{N}]|$)|(^|[^\p{L}\p{N}])(a|an|the)[^\p{L}\p{N} ]');
CREATE MACRO without_odd_articles(text) AS regexp_replace(
    regexp_replace(text, '(^|[^\p{L}\p{N}])(a|an|the)([^\p{L}\p{N}]|$)', '\1 \3', 'g'),
    '(^|[^\p{L}\p{N}])(a|an|the)([^\p{L}\p{N}]|$)', '\1 \3', 'g');

-- A list of one: where a macro has its argument written out again and again, it is computed once.
CREATE MACRO words_of(said) AS list_transform([spaced(said)], lambda text: list_filter(
    string_split(CASE WHEN odd_article(text) THEN without_odd_articles(text) ELSE text END, ' '),
    lambda word: word NOT IN ('', 'a', 'an', 'the')))[1];

CREATE MACRO trivia_normalised(said) AS array_to_string(words_of(said), ' ');

CREATE MACRO trivia_exact(said, accepted) AS
    coalesce(list_contains(list_transform(accepted, lambda one: trivia_normalised(one)), trivia_normalised(said)), false);

-- The words that two answers share, each as often as both have it.
CREATE MACRO shared_words(said, accepted) AS coalesce(list_sum(list_transform(
    list_distinct(said),
    lambda word: least(len(list_filter(said, lambda one: one = word)),
                       len(list_filter(accepted, lambda one: one = word))))), 0);

-- Twice what is shared over the words of both is the harmonic mean of precision and recall.
CREATE MACRO trivia_f1(said, accepted) AS coalesce(list_transform(
    [words_of(said)],
    lambda words: list_max(list_transform(
        list_transform(accepted, lambda one: words_of(one)),
        lambda gold: coalesce(2 * shared_words(words, gold) / nullif(len(words) + len(gold), 0), 0))))[1], 0);

-- What is left of a text without accents, case, spaces and punctuation: "U.S." is "us", "Beyoncé" is "beyonce".
CREATE MACRO loosely(said) AS regexp_replace(lower(strip_accents(said)), '[^\p{L}\p{N}]', '', 'g');

-- Whole words of one normalised text inside another.
CREATE MACRO holds(whole, part) AS part <> '' AND contains(' ' || whole || ' ', ' ' || part || ' ');
CREATE MACRO holds_any(whole, parts) AS list_bool_or(list_transform(parts, lambda part: holds(whole, part)));

-- A share in percent, and its 95 % Wilson bounds.
CREATE MACRO percent(hits, n) AS round(100 * hits / n, 1);
CREATE MACRO wilson_low(hits, n) AS
    round(100 * (hits + 1.9208 - 1.96 * sqrt(hits * (n - hits) / n + 0.9604)) / (n + 3.8416), 1);
CREATE MACRO wilson_high(hits, n) AS
    round(100 * (hits + 1.9208 + 1.96 * sqrt(hits * (n - hits) / n + 0.9604)) / (n + 3.8416), 1);

-- The task templates as they asked, from the manifests of the instructions.
CREATE VIEW templates AS
SELECT lineage.inputs->>'$.settings.dataset' AS dataset, task.key AS template, task.value AS definition
FROM lineage, json_each(lineage.inputs, '$.settings.templates') AS task
WHERE stage = 'instructions';

-- A verdict with all that it came from: the answer, the question as it was asked, and the row of the raw file.
CREATE VIEW answers AS
SELECT
    q.run, q.eval_set, coalesce(q.key, q.row_id) AS key, q.instruction_id, q.row_id, q.template,
    coalesce(i.question, r.question) AS question, q.answer, q.gold, q.correct, q.f1, q.problem,
    q.choice, q.gold_label, i.choices, i.gold_answers, p.written, p.finished, p.answer_tokens, p.prompt_tokens,
    p.passage_tokens_cut, p.passage_characters_kept, q.question_word, q.passage_words, i.instruction, i.input,
    CASE WHEN i.passage_start >= 0 THEN substr(i.input, i.passage_start + 1, i.passage_end - i.passage_start) END
        AS passage,
    r.table_name, r.source_file, r.source_line, r.row AS raw_row
FROM scored_questions AS q
LEFT JOIN predictions AS p USING (run, eval_set, instruction_id)
LEFT JOIN instructions AS i ON i.instruction_id = q.instruction_id AND i.dataset || '/' || i.split = q.eval_set
LEFT JOIN raw_rows AS r ON r.row_id = q.row_id;

CREATE VIEW errors AS FROM answers WHERE NOT correct;

CREATE VIEW by_question_word AS
SELECT run, eval_set, question_word, count(*) AS n, percent(count(*) FILTER (correct), count(*)) AS percent_correct,
       wilson_low(count(*) FILTER (correct), count(*)) AS low,
       wilson_high(count(*) FILTER (correct), count(*)) AS high, round(100 * avg(f1), 1) AS f1
FROM scored_questions GROUP BY ALL;

-- Lengths double from bar to bar.
CREATE VIEW by_passage_length AS
SELECT run, eval_set, CASE WHEN passage_words < 50 THEN 0 ELSE 50 * 2 ** floor(log2(passage_words / 50)) END::INTEGER
           AS words_from,
       count(*) AS n, percent(count(*) FILTER (correct), count(*)) AS percent_correct,
       wilson_low(count(*) FILTER (correct), count(*)) AS low,
       wilson_high(count(*) FILTER (correct), count(*)) AS high, round(100 * avg(f1), 1) AS f1
FROM scored_questions GROUP BY ALL;

-- A split asked in several ways: with the template that it is asked with, with others, and as a probe.
CREATE VIEW by_template AS
SELECT run, split_part(eval_set, '.', 1) AS asked, eval_set, template, count(*) AS n,
       percent(count(*) FILTER (correct), count(*)) AS percent_correct,
       wilson_low(count(*) FILTER (correct), count(*)) AS low,
       wilson_high(count(*) FILTER (correct), count(*)) AS high, round(100 * avg(f1), 1) AS f1
FROM scored_questions GROUP BY ALL;

-- Which option was chosen where another was right; a null choice is none that could be told.
CREATE VIEW confusion AS
SELECT *, percent(n, sum(n) OVER (PARTITION BY run, eval_set, gold_label)) AS percent_of_gold
FROM (SELECT run, eval_set, gold_label::INTEGER AS gold_label, choice::INTEGER AS choice, count(*) AS n
      FROM scored_questions WHERE gold_label IS NOT NULL GROUP BY ALL);

-- Answers that the limit on tokens ended; `began_right` where they start with an accepted answer.
CREATE VIEW truncated_answers AS
SELECT run, eval_set, key, instruction_id, row_id, question, answer, gold, answer_tokens, correct,
       list_bool_or(list_transform(gold_answers, lambda one: starts_with(
           trivia_normalised(answer) || ' ', trivia_normalised(one) || ' '))) AS began_right
FROM answers WHERE NOT finished;

-- Questions on which two runs differ in their verdict, in any evaluation set that both answered.
CREATE MACRO flips(run_a, run_b) AS TABLE
SELECT a.eval_set, coalesce(a.key, a.row_id) AS key, a.row_id, r.question, b.gold, a.answer AS answer_a,
       b.answer AS answer_b, CASE WHEN b.correct THEN 'mended' ELSE 'broken' END AS change,
       a.instruction_id AS instruction_a, b.instruction_id AS instruction_b
FROM scored_questions AS a
JOIN scored_questions AS b ON b.eval_set = a.eval_set AND coalesce(b.key, b.row_id) = coalesce(a.key, a.row_id)
LEFT JOIN raw_rows AS r ON r.row_id = a.row_id
WHERE a.run = run_a AND b.run = run_b AND a.correct <> b.correct;

-- Why free answers by TriviaQA's rules are wrong: of all that fits an answer the first, in this order.
CREATE VIEW trivia_errors AS
WITH trivia AS (
    SELECT DISTINCT inputs->>'$.settings.dataset' AS dataset FROM lineage
    WHERE stage = 'tables' AND inputs->>'$.settings.format' = 'trivia_qa'
),
texts AS (
    SELECT i.instruction_id, i.dataset || '/' || i.split AS eval_set, i.question,
           CASE WHEN i.passage_start >= 0
               THEN substr(i.input, i.passage_start + 1, i.passage_end - i.passage_start) ELSE '' END AS shown,
           trivia_normalised(shown) AS passage,
           list_transform(i.gold_answers, lambda one: trivia_normalised(one)) AS accepted
    FROM instructions AS i SEMI JOIN trivia USING (dataset)
    WHERE len(i.gold_answers) > 0
),
asked AS (
    SELECT *, list_transform(accepted, lambda one: loosely(one)) AS folded, holds_any(passage, accepted) AS answerable
    FROM texts
),
wrong AS (
    SELECT q.run, q.eval_set, coalesce(q.key, q.row_id) AS key, q.instruction_id, q.row_id, asked.question, q.answer,
           q.gold, q.f1, p.finished, p.passage_tokens_cut, trivia_normalised(coalesce(q.answer, '')) AS said,
           asked.accepted, asked.folded, asked.passage, asked.answerable, asked.shown, p.passage_characters_kept
    FROM scored_questions AS q
    JOIN asked USING (instruction_id, eval_set)
    LEFT JOIN predictions AS p USING (run, eval_set, instruction_id)
    WHERE NOT q.correct
)
SELECT run, eval_set, key, instruction_id, row_id,
       CASE
           WHEN said = '' THEN 'no answer'
           WHEN list_contains(folded, loosely(said)) THEN 'alias missed'
           WHEN holds_any(said, accepted) THEN 'right but verbose'
           WHEN NOT answerable THEN 'not in the passage'
           WHEN passage_tokens_cut > 0
               AND NOT holds_any(trivia_normalised(substr(shown, 1, passage_characters_kept)), accepted)
               THEN 'truncated away'
           WHEN NOT holds(passage, said) THEN 'unsupported'
           ELSE 'another part of the passage'
       END AS kind,
       question, answer, gold, f1, finished, passage_tokens_cut
FROM wrong;

CREATE VIEW trivia_error_kinds AS
SELECT *, percent(n, sum(n) OVER (PARTITION BY run, eval_set)) AS percent
FROM (SELECT run, eval_set, kind, count(*) AS n FROM trivia_errors GROUP BY ALL);

-- Judgements by models and people; a stale one is of other answers than those of the view predictions.
CREATE VIEW judgements AS
WITH now AS (
    SELECT asset, content, inputs ->> '$.needs.instructions.content' AS asked FROM lineage WHERE stage = 'predictions'
)
SELECT j.*, NOT coalesce(
    a.content = j.predictions_a AND a.asked = j.instructions
    AND (j.run_b IS NULL OR b.content = j.predictions_b), false) AS stale
FROM judgement_rows j
LEFT JOIN now a ON a.asset = 'predictions/' || j.run_a || '/' || j.eval_set
LEFT JOIN now b ON b.asset = 'predictions/' || j.run_b || '/' || j.eval_set;
