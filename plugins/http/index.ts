// The HTTP plugin: a sink that posts events to an endpoint, and a source that takes them from whoever posts to it.

import { definePlugin } from 'sluice/sdk';
import { sinkConfig, sourceConfig } from './config.ts';
import { checkEndpoint, checkPort } from './connect.ts';
import { placeOf } from './endpoint.ts';
import { toPosition } from './holding.ts';
import { sinkNoEffect, sourceNoEffect } from './no-effect.ts';
import { httpSink } from './sink.ts';
import { placesOf, webhookSource } from './source.ts';

export default definePlugin({
  name: 'http',
  source: {
    config: sourceConfig,
    positionVersion: 1,
    checkPosition: (position) => void toPosition(position),
    create: (config, context) => webhookSource(config, context),
    check: (config) => checkPort(config),
    place: placesOf,
    noEffect: sourceNoEffect,
  },
  sink: {
    config: sinkConfig,
    create: (config, context) => httpSink(config, context),
    check: (config) => checkEndpoint(config),
    place: (config) => placeOf(config.url),
    auth: ['username_password'],
    noEffect: sinkNoEffect,
  },
});
