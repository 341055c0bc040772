// Signs the scripted person in and prints the access token, for drivers that are no JavaScript. usage: node sign-in.mjs ISSUER RESOURCE SCOPE
import { signIn } from './party.mjs';

console.log(await signIn(...process.argv.slice(2)));
