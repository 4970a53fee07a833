// Reads {name: query} from stdin, and says of each what Microsoft's own parser finds wrong with it and which columns it
// answers. Arguments: the parser's folder, and the tables with their columns.
const [folder, tables] = process.argv.slice(2);
require(`${folder}/bridge.min.js`);
require(`${folder}/Kusto.Language.Bridge.min.js`);
const { KustoCode, GlobalState, Symbols } = Kusto.Language;

function* each(list) {
    const at = Bridge.getEnumerator(list);
    while (at.moveNext()) yield at.Current;
}

const known = Object.entries(require(tables)).map(([table, columns]) => {
    const typed = Object.entries(columns).map(([column, type]) => `${column}: ${type}`).join(', ');
    return Symbols.TableSymbol.From(`(${typed})`).WithName(table);
});
const database = new Symbols.DatabaseSymbol.$ctor1('insights', System.Array.init(known, Symbols.Symbol), false);
const globals = GlobalState.Default.WithDatabase(database);

function read(query) {
    const code = KustoCode.ParseAndAnalyze(query, globals);
    const line = (start) => query.slice(0, start).split('\n').length;
    return {
        faults: [...each(code.GetDiagnostics())].map((fault) => `line ${line(fault.Start)}: ${fault.Message}`),
        columns: code.ResultType && code.ResultType.Columns ? [...each(code.ResultType.Columns)].map((column) => column.Name) : [],
    };
}

const queries = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(Object.fromEntries(Object.entries(queries).map(([name, query]) => [name, read(query)]))));
