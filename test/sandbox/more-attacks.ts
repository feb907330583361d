// Attacks of our own, beside test/cases/sandbox-attacks.json and in its form: each defines transform(event), and is planted in one
// event of many. It may fail or come out harmless; no other event may show a trace of it. Several try to leave something for the
// next event on purpose: `HACKED` must not be seen in any other row.

export interface Attack {
  readonly name: string;
  readonly code: string;
}

const raw = String.raw;
const attack = (name: string, code: string): Attack => ({ name, code });

/** What tries to change what other events become. */
const pollution = [
  attack(
    'prototypes of everything, by assignment',
    raw`function transform(e){for(const p of [Object,Array,String,Number,Boolean,Function,Promise,RegExp,Map,Set,Date,Error,Symbol,BigInt,Uint8Array,Iterator].map(c=>c.prototype)){for(const k of ['id','name','ok','toJSON','then','length'])try{p[k]='HACKED'}catch{}};return e}`,
  ),
  attack(
    'toJSON on Object.prototype by defineProperty and Reflect',
    raw`function transform(e){for(const d of [Object.defineProperty,Reflect.defineProperty])try{d(Object.prototype,'toJSON',{value(){return {HACKED:1}},configurable:true})}catch{};return {...e}}`,
  ),
  attack(
    '__proto__ and constructor.prototype through JSON and assign',
    raw`function transform(e){const merge=(a,b)=>{for(const k in b){if(typeof b[k]==='object'&&b[k])merge(a[k]??={},b[k]);else try{a[k]=b[k]}catch{}}};merge({},JSON.parse('{"__proto__":{"name":"HACKED"},"constructor":{"prototype":{"name":"HACKED"}}}'));return e}`,
  ),
  attack(
    '__defineGetter__, __defineSetter__, setPrototypeOf',
    raw`function transform(e){try{Object.prototype.__defineGetter__('ok',()=>'HACKED')}catch{};try{Object.prototype.__defineSetter__('id',function(){})}catch{};try{Object.setPrototypeOf(Object.prototype,{name:'HACKED'})}catch{};try{Object.setPrototypeOf(globalThis,{name:'HACKED'})}catch{};return e}`,
  ),
  attack(
    'new globals by every way',
    raw`function transform(e){try{globalThis.leak='HACKED'}catch{};try{(0,eval)('var leak2="HACKED"; function leak3(){}; let leak4="HACKED"; class leak5{}; const leak6="HACKED"')}catch{};try{Function('leak7="HACKED"')()}catch{};return {...e,seen:typeof leak2+typeof leak}}`,
  ),
  attack(
    'global names shadowed by eval: JSON, Object, undefined',
    raw`function transform(e){try{(0,eval)('let JSON={parse(){return {HACKED:1}},stringify(){return "{\\"HACKED\\":1}"}}')}catch{};try{(0,eval)('const Promise=1, Array=1, String=1, Error=1')}catch{};try{(0,eval)('function Date(){}; var Math=1')}catch{};return e}`,
  ),
  attack(
    'arguments.callee.caller and Function.caller up to the harness',
    raw`function transform(e){const out=[];try{let f=new Function('return arguments.callee')();for(let i=0;i<20&&f;i++){out.push(String(f.name));f=f.caller}}catch(x){out.push('refused')};try{const f=function(){return f.caller};const c=f();if(c){c.leak='HACKED';out.push('caller '+c.name)}}catch(x){out.push('refused')};return {...e,out:out.join()}}`,
  ),
  attack(
    'hooks that the harness might use: Symbol.species, iterator, toPrimitive, match, split',
    raw`function transform(e){const s=Symbol;for(const [t,k] of [[Array,s.species],[Promise,s.species],[RegExp,s.species],[Array.prototype,s.iterator],[String.prototype,s.iterator],[RegExp.prototype,s.split],[RegExp.prototype,s.match],[RegExp.prototype,'exec'],[Array.prototype,'join'],[Array.prototype,'map'],[String.prototype,'split'],[Promise.prototype,'then'],[Object.prototype,s.toPrimitive],[Function.prototype,s.hasInstance],[Error.prototype,'message'],[Array.prototype,'0'],[Array.prototype,s.isConcatSpreadable]])try{Object.defineProperty(t,k,{value:()=>'HACKED',configurable:true,writable:true})}catch{};return e}`,
  ),
  attack(
    'the state of regular expressions',
    raw`const g=/n(\d+)/g;function transform(e){/(HACKED)/.exec('HACKED');g.lastIndex=5;try{RegExp.$1='HACKED'}catch{};try{RegExp.input='HACKED'}catch{};return {...e,was:String(RegExp.$1)}}`,
  ),
  attack(
    'a class with a static block and private statics that outlive it',
    raw`class K{static #n=0;static bump(){return ++K.#n}static{try{globalThis.K=K}catch{}}};function transform(e){K.bump();K.bump();return {...e,n:K.bump()}}`,
  ),
  attack(
    'hidden intrinsics: generator, async generator, iterator helpers, typed array, segmenter',
    raw`function transform(e){const ps=[(function*(){})().__proto__.__proto__,(async function*(){})().__proto__.__proto__,[].values().__proto__,[].values().map(x=>x).__proto__,Object.getPrototypeOf(Uint8Array.prototype),new Intl.Segmenter().segment('a').__proto__,''.matchAll(/a/g).__proto__,Object.getPrototypeOf(async()=>{}),new Map().entries().__proto__,Iterator.from({next(){}}).__proto__];const left=[];for(const p of ps)try{p.leak='HACKED';if(p.leak)left.push('HACKED')}catch{};return {...e,left:left.join()}}`,
  ),
  attack(
    'template objects and their cache',
    raw`function tag(s){try{s.leak='HACKED'}catch{};try{s.raw[0]='HACKED'}catch{};return s};function transform(e){const s=tag` +
      '`x${e.id}y`' +
      raw`;return {...e,leak:String(s.leak),frozen:Object.isFrozen(s)}}`,
  ),
  attack(
    'symbol registry as a channel',
    raw`function transform(e){const s=Symbol.for('HACKED');try{Object(s).x=1;Object.getPrototypeOf(s).y='HACKED'}catch{};return {...e,k:String(Symbol.keyFor(s)===undefined)}}`,
  ),
];

/** What tries to say something that is not its own answer. */
const forgery = [
  attack(
    'a result with toJSON that writes text of the wire',
    raw`function transform(e){return {toJSON(){return '}\n0{"HACKED":1}\n0{"HACKED":2}'}}}`,
  ),
  attack(
    'separators of the wire in keys and values',
    raw`function transform(e){return {...e,'a\n0{"h":1}':'\u001e{"x":1}\u001e\t\t','\u0000\u001f':'\r\n1'}}`,
  ),
  attack(
    'JSON.rawJSON with text that is no value',
    raw`function transform(e){try{return {...e,x:JSON.rawJSON('1}\n0{"HACKED":1')}}catch(x){return {...e,x:JSON.rawJSON('"HACK"')}}}`,
  ),
  attack(
    'an array of results whose length, getters and holes change while it is read',
    raw`function transform(e){let n=0;const a=[e,e,e];Object.defineProperty(a,1,{get(){a.length=3+n++;return {...e,n}}});a.length=50;return a}`,
  ),
  attack(
    'a Proxy as a result that changes its mind',
    raw`function transform(e){let n=0;return new Proxy({...e},{ownKeys(t){return n++%2?['HACK']:Reflect.ownKeys(t)},get(t,k){return k==='toJSON'?undefined:n++},getPrototypeOf(){return Object.prototype}})}`,
  ),
  attack(
    'a Proxy over an array as a result, with a length of 2^53',
    raw`function transform(e){return new Proxy([],{get(t,k){return k==='length'?2**53-1:e},getOwnPropertyDescriptor(){return {value:e,configurable:true,enumerable:true}}})}`,
  ),
  attack(
    'a thenable that answers many times, and later',
    raw`function transform(e){return {then(f,r){f({...e,x:1});f({HACKED:1});r(new Error('HACKED'));Promise.resolve().then(()=>f({HACKED:2}));throw 1}}}`,
  ),
  attack(
    'a promise whose then is its own',
    raw`function transform(e){const p=Promise.resolve({...e});try{p.then=function(f){f('HACKED');f('HACKED');for(;;);}}catch{};try{p.constructor={[Symbol.species]:function(x){x(()=>{},()=>{});for(;;);}}}catch{};return p}`,
  ),
  attack(
    'thousands of promises that try to answer for later events',
    raw`function transform(e){let p=Promise.resolve();for(let i=0;i<3000;i++)p=p.then(()=>{console.log('HACKED?');throw 0}).catch(()=>({HACKED:i}));return e}`,
  ),
  attack(
    'refusals of the harness forged by a thrown look-alike',
    raw`function transform(){class Refusal extends Error{why='HACKED';constructor(){super('HACKED')}};const r=new Refusal();r.name='Refusal';r.stack='sluice-module:0:999999:1\nsluice-module:99:1:1';throw r}`,
  ),
  attack(
    'an error with a place far outside of its file',
    raw`function transform(){const x=new Error('far');x.stack='at sluice-module:999999999:99999999999999999999:-1';throw x}`,
  ),
  attack(
    'a sourceURL that names the harness, and one that names another module',
    raw`function transform(){(0,eval)('throw new Error("named")\n//# sourceURL=sluice-module:0:1:1')}`,
  ),
];

/** What runs for ever. */
const endless = [
  attack('a getter in the result', raw`function transform(e){return {...e,get x(){for(;;);}}}`),
  attack('toJSON of a nested value', raw`function transform(e){return {...e,x:{y:{toJSON(){for(;;);}}}}}`),
  attack('ownKeys of a Proxy', raw`function transform(e){return new Proxy(e,{ownKeys(){for(;;);}})}`),
  attack('getPrototypeOf of a Proxy', raw`function transform(e){return new Proxy(e,{getPrototypeOf(){for(;;);}})}`),
  attack(
    'Symbol.toPrimitive in a log line',
    raw`function transform(e){console.log({[Symbol.toPrimitive](){for(;;);},toJSON(){for(;;);}});return e}`,
  ),
  attack(
    'an infinite generator spread, and Array.from over it',
    raw`function transform(){function*g(){for(;;)yield 1};return [...g()]}`,
  ),
  attack(
    'for await over an endless source',
    raw`async function transform(){for await(const x of (async function*(){for(;;)yield 1})());}`,
  ),
  attack(
    'every time limit swallowed by catch and finally',
    raw`function transform(){const f=()=>{try{for(;;);}catch{f()}finally{f()}};for(;;)try{f()}catch{}}`,
  ),
  attack(
    'a rejected promise, awaited again and again',
    raw`async function transform(){for(;;){try{await Promise.reject(1)}catch{}}}`,
  ),
  attack(
    'a thenable that resolves to itself anew',
    raw`function transform(){const t=()=>({then(f){f(t())}});return (async()=>await t())()}`,
  ),
  attack(
    'microtasks from microtasks, after the answer',
    raw`function transform(e){queue();function queue(){Promise.resolve().then(queue).then(queue)};return e}`,
  ),
  attack('a promise that never settles', raw`function transform(){return new Promise(()=>{})}`),
  attack(
    'a cause chain without end',
    raw`function transform(){const x=new Error('a');Object.defineProperty(x,'cause',{get(){for(;;);}});throw x}`,
  ),
  attack(
    'AggregateError with hostile errors',
    raw`function transform(){throw new AggregateError({*[Symbol.iterator](){for(;;)yield 1}})}`,
  ),
  attack(
    'thrown Proxy',
    raw`function transform(){throw new Proxy(new Error('x'),{get(){for(;;);},getPrototypeOf(){for(;;);}})}`,
  ),
  attack(
    'thrown function with a hostile name',
    raw`function transform(){const f=()=>{};Object.defineProperty(f,'name',{get(){for(;;);}});throw f}`,
  ),
  attack(
    'an error whose toString, name and message loop',
    raw`function transform(){class X extends Error{get name(){for(;;);}get message(){for(;;);}toString(){for(;;);}};throw new X()}`,
  ),
  attack(
    'quadratic regular expression with a back-reference',
    raw`function transform(){return {x:/^(a*)*\1(b*)*\2$/.test('a'.repeat(200)+'c')}}`,
  ),
  attack(
    'regular expression with look-behind',
    raw`function transform(){return {x:/(?<=(a+)+)b$/.test('a'.repeat(5e4)+'c')}}`,
  ),
  attack(
    'sort with a comparator that never agrees',
    raw`function transform(){const a=Array.from({length:1e6},(_,i)=>i);a.sort(()=>Math.random()-.5);a.toSorted((x,y)=>{for(;;);})}`,
  ),
  attack(
    'an array of four billion holes: fill, sort, join',
    raw`function transform(){const a=[];a.length=2**32-1;a.fill(0)}`,
  ),
  attack(
    'an array of four billion holes: forEach, reverse',
    raw`function transform(){const a=[];a.length=2**32-1;a[5]=1;for(;;){a.reverse();a.forEach(()=>{})}}`,
  ),
  attack('Array.from with a length of 2^32', raw`function transform(){return Array.from({length:2**32-1})}`),
  attack('BigInt to text', raw`function transform(){return {x:String(7n**4000000n).length}}`),
  attack('BigInt shift and division', raw`function transform(){let x=1n<<1000000000n;for(;;)x=x*x/3n}`),
  attack(
    'locale compare and segmenter over a long text',
    raw`function transform(){const s='a\u0301'.repeat(1e6);let n=0;for(;;)for(const x of new Intl.Segmenter('en',{granularity:'word'}).segment(s))n++}`,
  ),
  attack(
    'normalize of a long text in every form',
    raw`function transform(){const s='\u1e9b\u0323\uac00'.repeat(3e6);for(;;)for(const f of ['NFC','NFD','NFKC','NFKD'])s.normalize(f)}`,
  ),
  attack(
    'dates at the edges of time',
    raw`function transform(){for(;;){new Date(8.64e15).toLocaleString('ar-EG',{dateStyle:'full',timeZone:'Asia/Kolkata'});new Date(-8.64e15).toString()}}`,
  ),
  attack(
    'Temporal at its edges',
    raw`function transform(){if(!globalThis.Temporal)return {};const p=Temporal.PlainDate.from('2000-01-01');for(;;)p.until('2999-12-31',{largestUnit:'days'}).round({relativeTo:p,largestUnit:'years'})}`,
  ),
  attack(
    'with, labels and a switch that never leave',
    raw`function transform(){return new Function('o','with(o){outer:for(;;){for(;;){switch(x){default:continue outer}}}}')({get x(){return 1}})}`,
  ),
  attack(
    'debugger statements',
    raw`function transform(e){for(let i=0;i<1000;i++){debugger;(0,eval)('debugger')};return e}`,
  ),
  attack(
    'JSON.parse with a reviver that grows what it walks',
    raw`function transform(){JSON.parse('[[]]',function(k,v){if(Array.isArray(v))v.push([[]]);return v});for(;;)JSON.parse('[1]',function(k,v){for(;;);})}`,
  ),
  attack(
    'String.raw and replace with an endless callback',
    raw`function transform(){'aaaa'.repeat(1e6).replace(/a/g,()=>{for(;;);})}`,
  ),
  attack(
    'structuredClone, where there is one',
    raw`function transform(e){const a=[];for(let i=0;i<1e5;i++)a[i]={a};return {...e,t:typeof structuredClone==='function'?structuredClone(a).length:0}}`,
  ),
  attack(
    'Atomics.wait, where there is one',
    raw`function transform(e){if(typeof Atomics==='object'){Atomics.wait(new Int32Array(new SharedArrayBuffer(8)),0,0)};return e}`,
  ),
  attack(
    'waitAsync, where there is one',
    raw`function transform(e){if(typeof Atomics==='object'){Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(8)),0,0,1).value.then(()=>{for(;;);})};return e}`,
  ),
  attack(
    'Array.fromAsync over an endless source',
    raw`function transform(){return Array.fromAsync((async function*(){for(;;)yield 1})())}`,
  ),
  attack(
    'using with an endless disposer',
    raw`function transform(e){if(typeof DisposableStack!=='function')return e;const s=new DisposableStack();s.defer(()=>{for(;;);});s.dispose()}`,
  ),
  attack(
    'Iterator helpers over an endless source',
    raw`function transform(){return {n:Iterator.from({next:()=>({done:false,value:1})}).filter(()=>false).toArray().length}}`,
  ),
];

/** What takes memory. */
const memory = [
  attack('doubling a string', raw`function transform(){let s='x';for(;;)s+=s}`),
  attack(
    'doubling a string of two-byte characters, flattened',
    raw`function transform(){let s='\u20ac';const a=[];for(;;){s+=s;if(s.length>1e7){a.push(Number(s[5]));a.push(s.split(''))}}}`,
  ),
  attack(
    'padStart and repeat at the edge',
    raw`function transform(){const a=[];for(let i=0;;i++)a.push('x'.padStart(2**29-30-i,'ab').at(-i))}`,
  ),
  attack(
    'JSON.stringify with a large indent and a shared graph',
    raw`function transform(){let o={};for(let i=0;i<28;i++)o={a:o,b:o};return {s:JSON.stringify(o,null,10).length}}`,
  ),
  attack(
    'a result that is a shared graph of 2^28',
    raw`function transform(){let o={};for(let i=0;i<28;i++)o={a:o,b:o};return o}`,
  ),
  attack('a key of 200 MB', raw`function transform(e){return {...e,['k'.repeat(2e8)]:1}}`),
  attack('a million keys, nested', raw`function transform(){const o={};for(let i=0;i<2e6;i++)o['k'+i]={i};return o}`),
  attack('a result of 100,000 levels', raw`function transform(){let o={};for(let i=0;i<1e5;i++)o={o};return o}`),
  attack('an array of 10 million as a result', raw`function transform(e){return new Array(1e7).fill(e)}`),
  attack('an array of four billion holes as a result', raw`function transform(){const a=[];a.length=2**32-1;return a}`),
  attack('a sparse column of four billion', raw`function transform(e){const a=[];a[2**32-2]=1;return {...e,a}}`),
  attack(
    'error message and stack of 300 MB',
    raw`function transform(){const x=new Error('m'.repeat(3e8));x.stack='s'.repeat(3e8);x.name='n'.repeat(3e8);throw x}`,
  ),
  attack('thrown string of 500 MB', raw`function transform(){throw 'x'.repeat(5e8)}`),
  attack(
    'thrown array that shows itself as 2^27 elements',
    raw`function transform(){throw new Array(2**27).fill('x')}`,
  ),
  attack(
    'log of a shared graph',
    raw`function transform(e){let o={};for(let i=0;i<26;i++)o=[o,o];console.log(o);return e}`,
  ),
  attack(
    'log flood of objects in a microtask chain',
    raw`async function transform(e){for(let i=0;i<1e5;i++){console.error({i,s:'x'.repeat(100)});await 0};return e}`,
  ),
  attack(
    'weak collections',
    raw`function transform(){const m=new WeakMap(),k=[];for(;;){const o={};k.push(o);m.set(o,new Array(100))}}`,
  ),
  attack(
    'generators that are never run',
    raw`function transform(){const a=[];for(;;)a.push((function*(){yield new Array(100)})())}`,
  ),
  attack(
    'proxies of proxies',
    raw`function transform(){let p={};for(let i=0;i<2e6;i++)p=new Proxy(p,{});return {x:p.y}}`,
  ),
  attack(
    'bound functions',
    raw`function transform(){let f=()=>1;for(let i=0;i<1e6;i++)f=f.bind(null,i);return {x:f()}}`,
  ),
  attack(
    'prototype chain of a million',
    raw`function transform(){let o={};for(let i=0;i<1e6;i++)o=Object.create(o);return {x:o.missing,y:'z' in o}}`,
  ),
  attack(
    'typed arrays of 2 GB in turns',
    raw`function transform(){const a=[];for(;;){try{a.push(new Uint8Array(2**28).fill(1))}catch{a.length=0}}}`,
  ),
  attack(
    'collators and number formats of every locale',
    raw`function transform(){const a=[];const l=['ar','zh','th','hi','ja','ko','fa','he','my','km'];for(let i=0;;i++){a.push(new Intl.NumberFormat(l[i%10],{style:'unit',unit:'mile-per-hour'}),new Intl.Collator(l[i%10]),new Intl.PluralRules(l[i%10]),new Intl.DisplayNames(l[i%10],{type:'region'}),new Intl.RelativeTimeFormat(l[i%10]),new Intl.ListFormat(l[i%10]))}}`,
  ),
  attack(
    'regular expressions by the thousand',
    raw`function transform(){const a=[];for(let i=0;;i++){const r=new RegExp('(?<n'+i+'>[\\p{L}\\p{Emoji}'+String.fromCodePoint(0x1f600+i%80)+'])+','ui');r.test('x'.repeat(50));a.push(r)}}`,
  ),
  attack(
    'functions by the thousand, compiled and run hot',
    raw`function transform(){const a=[];for(let i=0;;i++){const f=new Function('x','let s='+i+';for(let j=0;j<100;j++)s+=x*j;return s');f(i);a.push(f)}}`,
  ),
  attack(
    'a class with a million private fields',
    raw`function transform(){return {x:(0,eval)('(class{'+Array.from({length:2e5},(_,i)=>'#a'+i+'=1;').join('')+'})').name}}`,
  ),
  attack(
    'an expression of a million terms',
    raw`function transform(){return {x:(0,eval)(Array.from({length:3e6},()=>'1').join('+'))}}`,
  ),
  attack(
    'an object literal of a million levels',
    raw`function transform(){return {x:(0,eval)('('+'{a:'.repeat(1e6)+'1'+'}'.repeat(1e6)+')')}}`,
  ),
  attack('the microtask queue filled', raw`function transform(e){for(;;)Promise.resolve(e).then(x=>x).then(x=>x)}`),
];

/** What reaches for something that is not there. */
const reach = [
  attack(
    'import() of everything',
    raw`async function transform(e){const out=[];for(const n of ['fs','node:fs','child_process','isolated-vm','./child.js','data:text/javascript,export default 1','file:///etc/passwd'])try{await import(n);out.push('HACKED '+n)}catch(x){out.push(x.constructor===Error||x instanceof TypeError?'refused':'other '+(x.constructor.constructor('return typeof process')()))};return {...e,out:out.join()}}`,
  ),
  attack(
    'import() in a Function and in eval',
    raw`function transform(e){return Function('return import("fs")')().then(()=>({HACKED:1}),x=>({...e,no:typeof x.constructor.constructor('return this')().process}))}`,
  ),
  attack(
    'constructors up from everything in reach',
    raw`function transform(e){const seen=[];for(const v of [e,log,console.log,Date,Math.random,Error,Promise.resolve(),Symbol.iterator,(async()=>{}),function*(){},Intl.DateTimeFormat().format,new Date(),/x/])try{const g=v.constructor.constructor('return typeof process+typeof require+typeof ivm+typeof module+typeof globalThis.$0')();if(/object|function/.test(g))seen.push('HACKED')}catch(x){};return {...e,seen:seen.join()}}`,
  ),
  attack(
    'the names of the harness',
    raw`function transform(e){const seen=[];for(const n of ['realm','harness','host','progress','refs','parse','evaluate','exports','use','$0','$1','_ivm','ivm','limits','entries','go','take','collect'])try{if((0,eval)('typeof '+n)!=='undefined')seen.push('HACKED '+n)}catch{};return {...e,seen:seen.join()}}`,
  ),
  attack(
    'the stack of an error at its edge',
    raw`function transform(e){let deep='';(function f(){try{f()}catch(x){deep=x.stack}})();return {...e,h:/file:|node:|\/work|child\./.test(deep)?'HACKED':'no'}}`,
  ),
  attack(
    'stack frames by captureStackTrace and structured frames',
    raw`function transform(e){try{Error.prepareStackTrace=(x,s)=>s}catch{};const o={};Error.captureStackTrace(o);return {...e,k:typeof o.stack}}`,
  ),
  attack(
    'import.meta and new.target',
    raw`function transform(e){let m='no';try{m=String((0,eval)('import.meta'))}catch{m='refused'};return {...e,m}}`,
  ),
  attack(
    'async constructors of hidden kinds',
    raw`function transform(e){const A=(async()=>{}).constructor,G=(function*(){}).constructor;return A('return typeof process+typeof require')().then(x=>({...e,x,y:G('yield typeof process')().next().value}))}`,
  ),
  attack(
    'timers and workers',
    raw`function transform(e){return {...e,t:[typeof setTimeout,typeof setImmediate,typeof queueMicrotask,typeof Worker,typeof MessageChannel,typeof BroadcastChannel,typeof fetch,typeof WebSocket].join()}}`,
  ),
  attack(
    'ShadowRealm, where there is one',
    raw`function transform(e){return {...e,s:typeof ShadowRealm==='function'?String(new ShadowRealm().evaluate('typeof process')):'none'}}`,
  ),
];

export const moreAttacks: readonly Attack[] = [...pollution, ...forgery, ...endless, ...memory, ...reach];
