// Runs the suite in a folder against a cache: node client.mjs FOLDER URL [ID]. It prints one JSON object to stdout: the
// tests, each with its id, kind and outcome as the suite itself judges it, and what it complained of. With an ID, that test
// alone is run, and its messages are shown on stderr.
// It knows the layout of the package 0.4.5 and that of the repository since then, whose engine has a folder of its own.
import fs from 'node:fs'
import path from 'node:path'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [folder, base, only] = process.argv.slice(2)
const root = fs.realpathSync(folder)
const newer = fs.existsSync(path.join(root, 'test-engine'))
const engine = newer ? 'test-engine/' : ''
const load = file => import(pathToFileURL(path.join(root, file)))
const atOnce = 120 // tests in parallel, for most of a test is waiting; more of them crowd a small machine

const { runTests, getResults } = await load(`${engine}client/runner.mjs`)
const { determineTestResult } = await load(newer ? `${engine}lib/results.mjs` : 'lib/display.mjs')
const suites = (await load('tests/index.mjs')).default

// The suite tells outcomes apart by the symbols that its pages show.
const outcomes = {
  '✅': 'pass',
  '⛔️': 'fail',
  '⚠️': 'optional fail',
  Y: 'yes',
  N: 'no',
  '🔹': 'setup',
  '⁉️': 'harness',
  '⚪️': 'dependency',
  '↻': 'retry',
  '-': 'untested'
}

// A connection that dies under the PUT of a test's configuration fails the test, and all that depend on it, whatever the cache
// does: such are counted.
let lost = 0
const counting = fetch => async (url, init) => {
  const configures = init?.method === 'PUT' && String(url).includes('/config/')
  try {
    const response = await fetch(url, init)
    if (configures && response.status !== 201) lost++
    return response
  } catch (error) {
    if (configures) lost++
    throw error
  }
}

console.log = console.error // what the suite says; stdout is for the results
const wanted = suites
  .map(suite => ({ ...suite, tests: suite.tests.filter(test => !test.browser_only && (!only || test.id === only)) }))
  .filter(suite => suite.tests.length > 0)
if (wanted.length === 0) throw new Error(`no test ${only} for proxies in ${folder}`)
if (only) wanted[0].tests[0].dump = true

if (newer) {
  globalThis.fetch = counting(fetch)
  await runTests(wanted, false, base, atOnce)
} else { // takes a fetch as well
  const fetch = createRequire(path.join(root, 'cli.mjs'))('node-fetch')
  await runTests(wanted, counting(fetch), false, base, atOnce)
}

const results = getResults()
const tests = wanted.flatMap(suite => suite.tests.map(test => ({
  id: test.id,
  kind: test.kind ?? 'required',
  outcome: outcomes[determineTestResult(suites, test.id, results, !only)[2]] ?? 'unknown',
  error: Array.isArray(results[test.id]) ? results[test.id].join(': ') : ''
})))
process.stdout.write(JSON.stringify({ newer, lost, tests }))
process.exit(0) // not when the idle connections end
